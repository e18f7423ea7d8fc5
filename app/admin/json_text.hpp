#pragma once

#include <string>

#include "core/json.hpp"
#include "core/value.hpp"

namespace lorica::admin {

/// Writes `v` where a value may stand.
void write(json_writer& w, const value& v);

/// `v` as one line of JSON.
std::string json_text(const value& v);

}  // namespace lorica::admin
