#pragma once

#include <span>
#include <string_view>

namespace lorica {

/// A file that is part of the program.
struct embedded_file {
  std::string_view name;  ///< without a folder; YAML is there as JSON
  std::string_view content;
};

/// All of them: the description of the routes and the page that shows it. Written at build time by
/// cmake/embed.py from what net/CMakeLists.txt lists.
std::span<const embedded_file> embedded_files() noexcept;

}  // namespace lorica
