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

TEST_CASE("a list that is not clear is refused with the entry at fault") {
  struct row {
    const char* text;
    const char* says;
  };
  for (auto [text, says] : {
           row{"a=b=c", "Invalid LoRA adapter format: a=b=c (more than one '=')"},
           row{"ok=/x,a@1@2", "Invalid LoRA adapter format: a@1@2 (more than one '@')"},
           row{"org/name", "Invalid LoRA adapter format: org/name (adapters are loaded from local"},
           row{"org/name@main", "adapters are loaded from local"},
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
