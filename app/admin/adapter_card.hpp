#pragma once

#include <cstdint>
#include <string>

#include "core/value.hpp"

namespace lorica::admin {

/// Whether modules are gathered by their kind over the layers, or listed one by one.
enum class module_detail : std::uint8_t { by_kind, each };

/// One adapter as `show` prints it. `now` in seconds since the epoch.
std::string adapter_card(const value& adapter, module_detail detail, std::int64_t now);

/// What the files of an adapter hold: figures, warnings and a table of modules.
std::string contents_text(const value& contents, module_detail detail);

}  // namespace lorica::admin
