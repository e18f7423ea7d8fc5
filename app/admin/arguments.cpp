#include "app/admin/arguments.hpp"

#include <charconv>

#include "app/admin/wording.hpp"
#include "core/shown.hpp"

namespace lorica::admin {
namespace {

error usage(std::string text) {
  return fail(errc::bad_config, std::move(text));
}

/// Any option of that name: what takes a value is the same everywhere, so an option may stand before its
/// command.
const option_row* any_option(std::string_view name) {
  if (auto row = find_option(global_options(), name)) return row;
  for (auto& command : command_table())
    if (auto row = find_option(command.options, name)) return row;
  return nullptr;
}

bool is_choice(std::string_view choices, std::string_view text) {
  while (!choices.empty()) {
    auto blank = choices.find(' ');
    if (choices.substr(0, blank) == text) return true;
    if (blank == std::string_view::npos) return false;
    choices.remove_prefix(blank + 1);
  }
  return false;
}

result<void> check(const call& c) {
  auto& command = *c.command;
  std::string called(command.name);
  for (auto& [name, given] : c.options) {
    auto row = find_option(global_options(), name);
    if (!row) row = find_option(command.options, name);
    if (!row) return usage(called + " has no option " + name + "; see lorica-admin " + called + " --help");
    if (!row->choices.empty() && !is_choice(row->choices, given))
      return usage(name + " is '" + shown(given) + "'; it is one of: " + std::string(row->choices));
  }
  if (c.has("--help")) return {};
  std::size_t least = 0;
  for (auto& row : command.arguments)
    least += row.optional ? 0 : 1;
  if (c.arguments.size() < least)
    return usage(called + " needs " + std::string(command.arguments[c.arguments.size()].name) +
                 "; see lorica-admin " + called + " --help");
  if (c.arguments.size() > command.arguments.size())
    return usage(called + " does not take '" + shown(c.arguments[command.arguments.size()]) + "'");
  return {};
}

}  // namespace

std::string call::text(std::string_view option, std::string_view absent) const {
  auto found = options.find(option);
  return found == options.end() ? std::string(absent) : found->second;
}

std::string call::argument(std::size_t index) const {
  return index < arguments.size() ? arguments[index] : std::string();
}

result<std::uint64_t> call::number(std::string_view option, std::uint64_t least, std::uint64_t most,
                                   std::uint64_t absent) const {
  auto found = options.find(option);
  if (found == options.end()) return absent;
  auto& text = found->second;
  std::uint64_t out = 0;
  auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), out);
  bool whole = failed == std::errc() && end == text.data() + text.size();
  if (whole && out >= least && out <= most) return out;
  return usage(std::string(option) + " is '" + shown(text) + "'; it is a whole number from " +
               std::to_string(least) + " to " + std::to_string(most));
}

result<call> parse_arguments(std::span<const std::string> given) {
  call out;
  bool only_arguments = false;
  for (std::size_t i = 0; i < given.size(); ++i) {
    auto& word = given[i];
    if (!only_arguments && word == "--") {
      only_arguments = true;
      continue;
    }
    if (only_arguments || word.size() < 2 || word[0] != '-') {
      if (out.command) {
        out.arguments.push_back(word);
      } else if (out.command = find_command(word); !out.command) {
        return usage("there is no command '" + shown(word) + "'; see lorica-admin --help");
      }
      continue;
    }
    auto equals = word.find('=');
    auto name = word == "-h" ? std::string("--help") : word.substr(0, equals);
    auto row = any_option(name);
    if (!row) return usage("there is no option " + shown(name) + "; see lorica-admin --help");
    if (out.has(name)) return usage(name + " is given twice");
    bool joined = equals != std::string::npos;
    if (row->value.empty()) {
      if (joined) return usage(name + " takes no value");
      out.options[name];
      continue;
    }
    if (!joined && i + 1 == given.size()) return usage(name + " needs " + std::string(row->value));
    out.options[name] = joined ? word.substr(equals + 1) : given[++i];
  }
  if (!out.command) {
    if (out.has("--help") || out.has("--version")) return out;
    return usage("a command is missing; see lorica-admin --help");
  }
  if (auto fit = check(out); !fit) return fit.error();
  return out;
}

}  // namespace lorica::admin
