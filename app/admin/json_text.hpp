#pragma once

#include <string>

#include "core/value.hpp"

namespace lorica::admin {

/// `v` as one line of JSON.
std::string json_text(const value& v);

}  // namespace lorica::admin
