#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "core/error.hpp"

namespace lorica {

/// The whole of a small file of the operator. Fails with `errc::bad_config` naming the setting (without
/// dashes) and the file's last name: not there, not readable, not a file, or above `most_bytes`.
result<std::string> read_secret_file(const std::string& path, std::string_view setting,
                                     std::size_t most_bytes);

/// What may be shown of a path.
std::string last_name(const std::string& path);

}  // namespace lorica
