#pragma once

#include <string>
#include <string_view>

#include "core/server_info.hpp"

namespace lorica {

/// True for the names that mean the base: empty, `tgi`, `dummy`, its id, its served names, and any text that
/// begins with `http://` or `https://` (clients send the URL they were given; it is never opened).
bool means_base(std::string_view name, const server_info& info);

/// `name` as the generation service wants it: empty for the base.
std::string adapter_of(std::string_view name, const server_info& info);

}  // namespace lorica
