#include "adapters/names.hpp"

#include "tests/catch.hpp"

using namespace lorica;

TEST_CASE("an adapter name keeps to the grammar") {
  auto longest = std::string(128, 'a');
  for (const auto& good : {std::string("a"), std::string("A-1_b.c"), std::string("9"),
                           std::string("org/name"), longest, longest + "/" + longest, std::string("a..b")}) {
    INFO(good);
    CHECK(check_adapter_name(good));
  }
  for (const auto& bad :
       {std::string(),      std::string("."),       std::string(".."),     std::string("-a"),
        std::string("_a"),  std::string("a b"),     std::string("a/b/c"),  std::string("/a"),
        std::string("a/"),  std::string("../a"),    std::string("a/../b"), std::string("a/.b"),
        std::string("a:b"), std::string("a\\b"),    std::string("a%2e"),   std::string("\xc3\xa4"),
        std::string("a\n"), std::string("a\0b", 3), longest + "a",         "a/" + longest + "a"}) {
    INFO(bad);
    auto checked = check_adapter_name(bad);
    REQUIRE_FALSE(checked);
    CHECK(checked.error().code == errc::invalid);
    CHECK(checked.error().reason == "invalid_name");
  }
}

TEST_CASE("a refused name is shown without control characters and cut") {
  auto checked = check_adapter_name("\x1b[31m" + std::string(1000, 'x'));
  REQUIRE_FALSE(checked);
  CHECK(checked.error().text.find('\x1b') == std::string::npos);
  CHECK(checked.error().text.size() < 400);
}

TEST_CASE("the list of adapters is read entry by entry") {
  auto list = parse_adapter_list(" sql=/data/sql , org/pirate = ./pirate,x=rel/dir.v1 ");
  REQUIRE(list);
  REQUIRE(list->size() == 3);
  CHECK((*list)[0].name == "sql");
  CHECK((*list)[0].path == "/data/sql");
  CHECK((*list)[1].name == "org/pirate");
  CHECK((*list)[1].path == "./pirate");
  CHECK((*list)[2].path == "rel/dir.v1");
  CHECK(parse_adapter_list("  ")->empty());
  CHECK(parse_adapter_list("")->empty());
}

TEST_CASE("an entry may name a repository of the Hub, with or without a name of its own") {
  auto list = parse_adapter_list("org/sql, org/style@v2 ,a=org/b,c=org/d @ main,e=plain@v1");
  REQUIRE(list);
  REQUIRE(list->size() == 5);
  auto check = [&](std::size_t i, const char* name, const char* path, const char* revision,
                   bool only_on_hub) {
    INFO(name);
    CHECK((*list)[i].name == name);
    CHECK((*list)[i].path == path);
    CHECK((*list)[i].revision == revision);
    CHECK((*list)[i].only_on_hub == only_on_hub);
  };
  check(0, "org/sql", "org/sql", "", true);
  check(1, "org/style", "org/style", "v2", true);
  check(2, "a", "org/b", "", false);
  check(3, "c", "org/d", "main", true);
  check(4, "e", "plain", "v1", true);
}

TEST_CASE("a list that is not clear is refused with the entry at fault") {
  struct row {
    const char* text;
    const char* says;
  };
  for (auto [text, says] : {
           row{"a=b=c", "Invalid LoRA adapter format: a=b=c (more than one '=')"},
           row{"ok=/x,a@1@2", "Invalid LoRA adapter format: a@1@2 (more than one '@')"},
           row{"name", "Invalid LoRA adapter format: name (write name=path, or org/name"},
           row{"name@main", "write name=path, or org/name"},
           row{"a/b/c", "write name=path, or org/name"},
           row{"_org/name", "adapter name '_org/name' is not valid"},
           row{"a=org/name@", "no branch, tag or commit"},
           row{"a=org/name@../x", "no branch, tag or commit"},
           row{"a=org/name@a b", "no branch, tag or commit"},
           row{"a=../x@main", "a local directory has no '@revision'"},
           row{"a=@main", "the path is empty"},
           row{"org/name,x=/y,org/name@v2", "LoRA adapter 'org/name' is listed twice"},
           row{"/data/x", "Invalid LoRA adapter format: /data/x (a directory needs a name"},
           row{"./x", "a directory needs a name"},
           row{"a=/x@main", "a local directory has no '@revision'"},
           row{"a=", "the path is empty"},
           row{"=/x", "adapter name '' is not valid"},
           row{"../a=/x", "adapter name '../a' is not valid"},
           row{"a=/x,", "an entry is empty"},
           row{",", "an entry is empty"},
           row{"a=/x,b=/y,a=/z", "LoRA adapter 'a' is listed twice"},
       }) {
    INFO(text);
    auto list = parse_adapter_list(text);
    REQUIRE_FALSE(list);
    CHECK(list.error().code == errc::bad_config);
    CHECK_THAT(list.error().text, Catch::Contains(says));
  }
}
