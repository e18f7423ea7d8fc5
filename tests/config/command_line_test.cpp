#include "config/command_line.hpp"

#include <vector>

#include "tests/catch.hpp"

using namespace lorica;
using action = command_line::action;

namespace {

command_line parse(std::vector<const char*> arguments) {
  return parse_command_line(arguments);
}

}  // namespace

TEST_CASE("flags arrive as text under their names") {
  auto c =
      parse({"serve", "--model-id", "m.gguf", "--port=81", "--skip-bad-adapters", "--max-input-length", "7"});
  REQUIRE(c.what == action::serve);
  CHECK(c.flags == flag_values{{"model-id", "m.gguf"},
                               {"port", "81"},
                               {"skip-bad-adapters", "true"},
                               {"max-input-length", "7"}});
}

TEST_CASE("a flag may carry its value") {
  auto c = parse({"serve", "--json-output", "false", "--model-id", "m"});
  REQUIRE(c.what == action::serve);
  CHECK(c.flags.at("json-output") == "false");
}

TEST_CASE("the last of two equal flags counts") {
  auto c = parse({"serve", "--port", "1", "--port", "2"});
  REQUIRE(c.what == action::serve);
  CHECK(c.flags.at("port") == "2");
}

TEST_CASE("help lists every served setting with its environment name") {
  auto c = parse({"serve", "--help"});
  REQUIRE(c.what == action::show_help);
  for (auto word : {"--model-id", "MODEL_ID", "--lora-adapters", "--kv-memory", "3000",
                    "GRACEFUL_TERMINATION_TIMEOUT", "--config", "LORICA_CONFIG", "beat the file of --config"})
    CHECK_THAT(c.text, Catch::Contains(word));
}

TEST_CASE("what cannot be parsed is a usage error") {
  CHECK(parse({"serve", "--no-such-flag", "1"}).what == action::usage_error);
  CHECK(parse({"serve", "--port"}).what == action::usage_error);
  CHECK(parse({"dance"}).what == action::usage_error);
  CHECK(parse({}).what == action::usage_error);
  CHECK(parse({"--version"}).what == action::show_version);
}
