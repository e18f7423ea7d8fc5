#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "app/admin/command_table.hpp"
#include "core/error.hpp"

namespace lorica::admin {

/// A command line, taken apart and checked against the table of commands.
struct call {
  const command_row* command = nullptr;  ///< null: only with --help or --version
  std::vector<std::string> arguments;
  std::map<std::string, std::string, std::less<>> options;  ///< by `--name`; empty of a switch

  bool has(std::string_view option) const { return options.find(option) != options.end(); }

  /// Value of an option, or `absent`.
  std::string text(std::string_view option, std::string_view absent = "") const;

  /// Argument at `index`; empty when it was left out.
  std::string argument(std::size_t index) const;

  /// A whole number between the bounds; `errc::bad_config` when the option says something else.
  result<std::uint64_t> number(std::string_view option, std::uint64_t least, std::uint64_t most,
                               std::uint64_t absent) const;
};

/// Options may stand anywhere and as `--name=value`; `--` ends them. Fails with `errc::bad_config`; the text
/// never holds the value of an option.
result<call> parse_arguments(std::span<const std::string> given);

}  // namespace lorica::admin
