#pragma once

#include <optional>
#include <string_view>

#include "text/template_value.hpp"

namespace lorica::jinja {

/// `int(text, base)`: white space around it, a sign, `_` between digits, a prefix where the base has one.
/// Nothing for what is no number (a ValueError).
std::optional<integer> parsed_integer(std::string_view text, unsigned base);

/// `float(text)`: decimal digits, `inf`, `nan`.
std::optional<double> parsed_real(std::string_view text);

}  // namespace lorica::jinja
