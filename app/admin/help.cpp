#include "app/admin/help.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

namespace lorica::admin {
namespace {

constexpr std::size_t text_column = 30;

void add_row(std::string& out, const std::string& left, std::string_view right) {
  out += fmt::format("  {:<{}}", left, text_column - 4);
  if (left.size() > text_column - 4) out += "\n" + std::string(text_column - 2, ' ');
  out += fmt::format("  {}\n", right);
}

void add_options(std::string& out, std::span<const option_row> rows) {
  for (auto& row : rows) {
    auto left = std::string(row.name);
    if (row.name == "--help") left = "-h, --help";
    if (!row.value.empty()) left += fmt::format(" {}", row.value);
    std::string right(row.text);
    if (!row.choices.empty()) {
      std::string list(row.choices);
      std::replace(list.begin(), list.end(), ' ', '|');
      right = list + ". " + right;
    }
    add_row(out, left, right);
  }
}

std::string arguments_of(const command_row& command) {
  std::string out;
  for (auto& row : command.arguments)
    out += row.optional ? fmt::format(" [{}]", row.name) : fmt::format(" {}", row.name);
  return out;
}

constexpr std::string_view endings =
    "Exit codes:\n"
    "  0    done\n"
    "  1    the server refused, a job failed, or the server is not ready\n"
    "  2    the command line is wrong\n"
    "  3    nobody answers, not in time, or not as Lorica does\n"
    "  4    no such adapter or job\n"
    "  5    the key is missing or wrong, or this caller may not\n"
    "  130  interrupted\n";

}  // namespace

std::string help() {
  std::string out =
      "lorica-admin shows and changes the adapters of a running Lorica server, over its HTTP API.\n\n"
      "Usage: lorica-admin [OPTIONS] COMMAND [ARGUMENTS] [OPTIONS]\n\nCommands:\n";
  for (auto& command : command_table())
    add_row(out, std::string(command.name) + arguments_of(command), command.text);
  out += "\nOptions:\n";
  add_options(out, global_options());
  out += "\n";
  out += endings;
  out += "\nlorica-admin COMMAND --help tells more of one command.\n";
  return out;
}

std::string help(const command_row& command) {
  auto out = fmt::format("{}\n\nUsage: lorica-admin {}{} [OPTIONS]\n", command.text, command.name,
                         arguments_of(command));
  if (!command.details.empty()) out += fmt::format("\n{}\n", command.details);
  if (!command.options.empty()) {
    out += "\nOptions:\n";
    add_options(out, command.options);
  }
  out += "\nOptions of every command:\n";
  add_options(out, global_options());
  out += "\n";
  out += endings;
  return out;
}

}  // namespace lorica::admin
