#pragma once

#include <fmt/core.h>

#include <string>
#include <string_view>

#include "core/log_level.hpp"

namespace lorica {

/// Sets up the process log once, before any thread starts: text on standard error, or one JSON object per
/// line.
void start_log(bool json, log_level least);

/// Writes one line. Control characters are escaped; callers never pass prompts, keys or absolute paths.
void write_log(log_level level, std::string_view text);

template <class... Args>
void log_debug(fmt::format_string<Args...> text, Args&&... args) {
  write_log(log_level::debug, fmt::format(text, std::forward<Args>(args)...));
}
template <class... Args>
void log_info(fmt::format_string<Args...> text, Args&&... args) {
  write_log(log_level::info, fmt::format(text, std::forward<Args>(args)...));
}
template <class... Args>
void log_warn(fmt::format_string<Args...> text, Args&&... args) {
  write_log(log_level::warn, fmt::format(text, std::forward<Args>(args)...));
}
template <class... Args>
void log_error(fmt::format_string<Args...> text, Args&&... args) {
  write_log(log_level::error, fmt::format(text, std::forward<Args>(args)...));
}

}  // namespace lorica
