#pragma once

#include <functional>
#include <optional>
#include <string>

#include "app/admin/arguments.hpp"

namespace lorica::admin {

/// Value of an environment variable, or nothing.
using read_environment = std::function<std::optional<std::string>(const char*)>;

/// The key of the command line, of the file that it names, or of LORICA_API_KEY, ADMIN_API_KEY or API_KEY;
/// empty when there is none. `errc::bad_config` when the file cannot be read or two keys are given.
result<std::string> find_key(const call& what, const read_environment& environment);

/// Overwrites keys in the arguments of the process, which everybody on the machine may read. `argv` is the
/// one of `main`.
void hide_keys(int argc, char** argv) noexcept;

}  // namespace lorica::admin
