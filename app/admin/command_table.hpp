#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "app/admin/exit_code.hpp"

namespace lorica::admin {

struct task;

/// What a shell may complete in a place.
enum class word_kind : std::uint8_t { none, adapter, file, shell };

struct option_row {
  std::string_view name;   ///< `--sort`
  std::string_view value;  ///< `ORDER`; empty: a switch
  std::string_view text;
  std::string_view choices = {};  ///< separated by blanks; empty: anything
  word_kind kind = word_kind::none;
};

struct argument_row {
  std::string_view name;  ///< `NAME`
  word_kind kind = word_kind::none;
  bool optional = false;
};

/// One command. The table drives dispatch, help and completion, and a test compares it with the
/// documentation.
struct command_row {
  std::string_view name;
  std::string_view text;  ///< one line
  std::span<const argument_row> arguments;
  std::span<const option_row> options;
  std::string_view details;  ///< more lines for its own help
  exit_code (*run)(task&);
};

std::span<const command_row> command_table() noexcept;

/// Options of every command.
std::span<const option_row> global_options() noexcept;

/// Null when there is none of that name.
const command_row* find_command(std::string_view name) noexcept;
const option_row* find_option(std::span<const option_row> rows, std::string_view name) noexcept;

}  // namespace lorica::admin
