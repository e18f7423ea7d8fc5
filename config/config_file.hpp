#pragma once

#include <map>
#include <string>
#include <string_view>

#include "core/error.hpp"

namespace lorica {

/// A value of a configuration file, written as a flag would carry it, and where it stands.
struct file_value {
  std::string text;
  std::string origin;  ///< `lorica.toml:12: port`
};

/// Values of a configuration file by key.
using file_values = std::map<std::string, file_value, std::less<>>;

/// Reads TOML whose keys are flag names without dashes. Every key is known and every value has the type that
/// its setting takes; bounds are `merge_settings`' business. Fails with `errc::bad_config`: `name`, line,
/// key, value and what is allowed.
result<file_values> parse_config_file(std::string_view text, std::string_view name);

/// Reads a file of at most 256 KiB; `origin` names the setting that gave the path. Texts hold the file's name
/// without its directory.
result<file_values> read_config_file(const std::string& path, const std::string& origin);

}  // namespace lorica
