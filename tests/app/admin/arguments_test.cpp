#include "app/admin/arguments.hpp"

#include <map>

#include "app/admin/key_source.hpp"
#include "tests/catch.hpp"
#include "tests/files/scratch_directory.hpp"

#include <fstream>

using namespace lorica;
using namespace lorica::admin;

namespace {

result<call> parse(std::vector<std::string> words) {
  return parse_arguments(words);
}

std::string refusal(std::vector<std::string> words) {
  auto got = parse(std::move(words));
  REQUIRE_FALSE(got);
  CHECK(got.error().code == errc::bad_config);
  return got.error().text;
}

}  // namespace

TEST_CASE("options stand before and after the command, joined or apart") {
  for (auto words : {std::vector<std::string>{"--sort", "bytes", "--json", "list", "--url", "http://a"},
                     std::vector<std::string>{"list", "--sort=bytes", "--url=http://a", "--json"}}) {
    auto got = parse(words);
    REQUIRE(got);
    CHECK(got->command->name == "list");
    CHECK(got->text("--sort") == "bytes");
    CHECK(got->text("--url") == "http://a");
    CHECK(got->has("--json"));
    CHECK_FALSE(got->has("--state"));
  }
  auto empty = parse({"load", "a", "b", "--expected-version", ""});
  REQUIRE(empty);
  CHECK(empty->has("--expected-version"));
  auto after = parse({"show", "--", "--odd"});
  REQUIRE(after);
  CHECK(after->argument(0) == "--odd");
  CHECK(after->argument(1).empty());
}

TEST_CASE("a wrong command line is refused with what would work") {
  CHECK_THAT(refusal({}), Catch::Contains("command is missing"));
  CHECK_THAT(refusal({"dance"}), Catch::Contains("'dance'"));
  CHECK_THAT(refusal({"list", "--no-such"}), Catch::Contains("--no-such"));
  CHECK_THAT(refusal({"list", "--pin"}), Catch::Contains("list has no option --pin"));
  CHECK_THAT(refusal({"list", "extra"}), Catch::Contains("'extra'"));
  CHECK_THAT(refusal({"load", "a"}), Catch::Contains("load needs SOURCE"));
  CHECK_THAT(refusal({"list", "--sort", "size"}), Catch::Contains("'size'") && Catch::Contains("last-used"));
  CHECK_THAT(refusal({"list", "--sort"}), Catch::Contains("--sort needs ORDER"));
  CHECK_THAT(refusal({"list", "--json=yes"}), Catch::Contains("takes no value"));
  CHECK_THAT(refusal({"list", "--url", "a", "--url", "b"}), Catch::Contains("twice"));
}

TEST_CASE("help and version need no command, and help no arguments") {
  auto version = parse({"--version"});
  REQUIRE(version);
  CHECK(version->command == nullptr);
  auto help = parse({"load", "-h"});
  REQUIRE(help);
  CHECK(help->has("--help"));
}

TEST_CASE("numbers of options have bounds") {
  auto got = parse({"top", "--interval", "5", "--count", "0", "--timeout", "12x"});
  REQUIRE(got);
  CHECK(*got->number("--interval", 1, 10, 1) == 5);
  CHECK_FALSE(got->number("--interval", 1, 4, 1));
  CHECK_THAT(got->number("--count", 1, 10, 1).error().text,
             Catch::Contains("'0'") && Catch::Contains("1 to 10"));
  CHECK_FALSE(got->number("--timeout", 1, 100, 10));
  CHECK(*parse({"top"})->number("--interval", 1, 10, 7) == 7);
}

TEST_CASE("an option takes a value everywhere or nowhere, so that it may stand before its command") {
  std::map<std::string_view, bool> takes;
  auto look = [&](std::span<const option_row> rows) {
    for (auto& row : rows) {
      auto [at, is_new] = takes.emplace(row.name, !row.value.empty());
      CHECK((is_new || at->second == !row.value.empty()));
      CHECK_FALSE(row.text.empty());
    }
  };
  look(global_options());
  for (auto& command : command_table()) {
    look(command.options);
    for (auto& row : command.options)
      CHECK(find_option(global_options(), row.name) == nullptr);
  }
}

TEST_CASE("the key comes from one place: the line, a file, or the environment in its order") {
  scratch_directory scratch;
  auto path = (scratch.path() / "key").string();
  std::ofstream(path) << "from-file\r\nnot this\n";
  std::map<std::string, std::string> variables{{"API_KEY", "third"}, {"ADMIN_API_KEY", "second"}};
  auto environment = [&](const char* name) {
    auto at = variables.find(name);
    return at == variables.end() ? std::nullopt : std::optional(at->second);
  };
  auto key = [&](std::vector<std::string> words) {
    words.insert(words.begin(), "list");
    auto got = find_key(*parse(words), environment);
    return got ? *got : "refused: " + got.error().text;
  };
  CHECK(key({}) == "second");
  variables["LORICA_API_KEY"] = "first";
  CHECK(key({}) == "first");
  CHECK(key({"--api-key", "given"}) == "given");
  CHECK(key({"--api-key-file", path}) == "from-file");
  CHECK_THAT(key({"--api-key-file", path + "s"}), Catch::StartsWith("refused"));
  CHECK_THAT(key({"--api-key-file", path, "--api-key", "s3cret"}),
             Catch::StartsWith("refused") && !Catch::Contains("s3cret"));
  variables.clear();
  CHECK(key({}).empty());
}

TEST_CASE("keys are taken out of the arguments of the process") {
  std::string words[] = {"lorica-admin", "--api-key", "secret", "--api-key=hidden", "--api-key-file", "path"};
  std::vector<char*> argv;
  for (auto& word : words)
    argv.push_back(word.data());
  hide_keys(static_cast<int>(argv.size()), argv.data());
  CHECK(words[2] == "******");
  CHECK(words[3] == "--api-key=******");
  CHECK(words[5] == "path");
  // A key that is missing at the end is not looked for.
  hide_keys(2, argv.data());
}
