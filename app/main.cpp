#include <cstdio>
#include <cstdlib>
#include <exception>
#include <span>

#include "app/serve.hpp"
#include "app/version.hpp"
#include "config/command_line.hpp"

namespace {

std::optional<std::string> read_environment(const std::string& name) {
  const char* text = std::getenv(name.c_str());
  if (!text) return std::nullopt;
  return std::string(text);
}

int print_usage_error(const std::string& text) {
  std::fprintf(stderr, "lorica: %s\n", text.c_str());
  return 2;
}

int run(std::span<const char* const> arguments) {
  using action = lorica::command_line::action;
  auto line = lorica::parse_command_line(arguments);
  switch (line.what) {
    case action::show_help: std::printf("%s", line.text.c_str()); return 0;
    case action::show_version: std::printf("lorica %s (%s)\n", LORICA_VERSION, LORICA_COMMIT); return 0;
    case action::usage_error: return print_usage_error(line.text);
    default: break;
  }
  auto settings = lorica::load_settings(line.flags, read_environment);
  if (!settings) return print_usage_error(settings.error().text);
  return lorica::serve(*settings);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(std::span<const char* const>(argv + 1, static_cast<std::size_t>(argc > 0 ? argc - 1 : 0)));
  } catch (const std::exception& e) {
    std::fprintf(stderr, "lorica: fatal: %s\n", e.what());
    return 1;
  }
}
