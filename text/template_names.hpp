#pragma once

#include <set>
#include <string>

#include "text/template_syntax.hpp"

namespace lorica::jinja {

/// Which of `names` a body reads before it assigns them, in the order of Jinja's own walk.
std::set<std::string> undeclared(const block& body, std::set<std::string> names);

/// True when a statement, or one within, assigns `name`.
bool assigns(const statement& s, const std::string& name);

}  // namespace lorica::jinja
