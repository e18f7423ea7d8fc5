#pragma once

#include <span>
#include <string>

#include "config/settings.hpp"

namespace lorica {

/// What the command line of `lorica` asks for.
struct command_line {
  enum class action { serve, show_help, show_version, usage_error } what = action::usage_error;
  flag_values flags;  ///< of `serve`
  std::string text;   ///< help or error to print
};

/// Parses arguments after the program's name. Only spelling is checked here; values are `merge_settings`'
/// business.
command_line parse_command_line(std::span<const char* const> arguments);

}  // namespace lorica
