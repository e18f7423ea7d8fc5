#include "config/command_line.hpp"

#include <CLI/CLI.hpp>
#include <deque>

#include "config/setting.hpp"

namespace lorica {
namespace {

std::string describe(const setting& row) {
  std::string out(row.text);
  if (row.kind == setting_kind::choice) out += " One of " + std::string(row.choices) + ".";
  if (!row.fallback.empty()) out += " Default: " + std::string(row.fallback) + ".";
  if (row.environment.empty()) return out;
  out += " [" + std::string(row.environment);
  if (!row.second_environment.empty()) out += ", " + std::string(row.second_environment);
  return out + "]";
}

std::string_view group(const setting& row) {
  if (row.use == setting_use::harmless) return "Known from TGI, accepted without effect";
  return row.use == setting_use::refused ? "Known from TGI, refused" : "Settings";
}

// Every option is read as text: one place, the settings table, knows what is allowed.
void add_options(CLI::App& serve, std::deque<std::string>& texts) {
  for (auto& row : serve_settings_table()) {
    std::string names = "--" + std::string(row.flag);
    auto* option =
        serve.add_option(names, texts.emplace_back(), describe(row))->group(std::string(group(row)));
    option->type_name(row.kind == setting_kind::flag ? "[BOOL]" : "TEXT")->take_last();
    if (row.kind == setting_kind::flag) option->expected(0, 1)->default_str("");
    if (!row.alias.empty())
      serve.add_option("--" + std::string(row.alias), texts.emplace_back(), "Same as " + names)
          ->group("Settings");
  }
}

flag_values given_flags(const CLI::App& serve) {
  flag_values out;
  for (auto* option : serve.get_options()) {
    if (option->count() == 0 || option->get_lnames().empty() || !find_setting(option->get_lnames()[0]))
      continue;
    auto& all = option->results();
    bool bare_flag = all.empty() || all.back().empty() || all.back() == "{}";
    bool is_flag = find_setting(option->get_lnames()[0])->kind == setting_kind::flag;
    out[option->get_lnames()[0]] = bare_flag && is_flag ? "true" : all.empty() ? "" : all.back();
  }
  return out;
}

}  // namespace

command_line parse_command_line(std::span<const char* const> arguments) {
  CLI::App app("Lorica serves one base language model and many LoRA adapters.", "lorica");
  bool version = false;
  app.add_flag("--version", version, "Print the version");
  auto* serve = app.add_subcommand("serve", "Start the server");
  serve->footer(
      "Flags beat environment variables, which beat the file of --config, which beats defaults.\n\n"
      "Examples:\n  lorica serve --model-id model.gguf --lora-adapters "
      "sql=adapters/sql,triage=adapters/triage\n  lorica serve --config lorica.toml");
  std::deque<std::string> texts;  // CLI11 keeps references
  add_options(*serve, texts);
  app.require_subcommand(0, 1);
  std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());
  try {
    app.parse(reversed);
  } catch (const CLI::CallForHelp&) {
    return {command_line::action::show_help, {}, serve->parsed() ? serve->help() : app.help()};
  } catch (const CLI::ParseError& e) {
    return {command_line::action::usage_error, {}, std::string(e.what()) + "\nSee lorica serve --help"};
  }
  if (version) return {command_line::action::show_version, {}, {}};
  if (!serve->parsed()) return {command_line::action::usage_error, {}, app.help()};
  return {command_line::action::serve, given_flags(*serve), {}};
}

}  // namespace lorica
