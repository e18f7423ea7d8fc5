#include <fstream>
#include <sstream>

#include "app/admin/command_table.hpp"
#include "app/admin/completion.hpp"
#include "app/admin/help.hpp"
#include "tests/catch.hpp"

using namespace lorica::admin;

namespace {

std::string documentation() {
  std::stringstream out;
  out << std::ifstream(LORICA_SOURCE_DIR "/docs/operations.md").rdbuf();
  auto text = out.str();
  auto at = text.find("## lorica-admin");
  REQUIRE(at != std::string::npos);
  auto end = text.find("\n## ", at + 1);
  return text.substr(at, end == std::string::npos ? end : end - at);
}

}  // namespace

TEST_CASE("every command is in docs/operations.md, in the help and in the completions") {
  auto docs = documentation();
  auto general = help();
  for (auto& command : command_table()) {
    std::string name(command.name);
    INFO(name);
    CHECK_THAT(docs, Catch::Contains("| `" + name));
    CHECK_THAT(general, Catch::Contains("\n  " + name + " "));
    auto own = help(command);
    CHECK_THAT(own, Catch::Contains("lorica-admin " + name));
    for (auto& row : command.options) {
      CHECK_THAT(own, Catch::Contains(std::string(row.name)));
      CHECK_THAT(docs, Catch::Contains(std::string(row.name)));
      CHECK_THAT(bash_completion(), Catch::Contains(std::string(row.name)));
    }
    CHECK_THAT(bash_completion(), Catch::Contains(name));
    CHECK_THAT(zsh_completion(), Catch::Contains(name));
  }
  for (auto& row : global_options())
    CHECK_THAT(general, Catch::Contains(std::string(row.name)));
}

TEST_CASE("every exit code is in docs/operations.md and in the help") {
  auto docs = documentation();
  for (auto code : {exit_code::done, exit_code::refused, exit_code::usage, exit_code::unreachable,
                    exit_code::not_found, exit_code::not_allowed, exit_code::interrupted}) {
    auto number = std::to_string(static_cast<int>(code));
    CHECK_THAT(docs, Catch::Contains("| " + number + " |"));
    CHECK_THAT(help(), Catch::Contains("\n  " + number + " "));
  }
}
