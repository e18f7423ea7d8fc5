#include "app/listed_adapters.hpp"

#include "tests/catch.hpp"
#include "tests/files/fake_hub.hpp"
#include "tests/files/scratch_directory.hpp"

using namespace lorica;

TEST_CASE("an adapter that is nowhere stops the start by name, or keeps its error") {
  scratch_directory scratch;
  fake_hub hub(scratch.path() / "hub");
  std::vector<named_source> listed{{"here", scratch.path().string(), "", false},
                                   {"lost", "org/none", "", true}};
  auto strict = find_adapters(listed, std::nullopt, hub.cache(), false);
  REQUIRE_FALSE(strict);
  CHECK(strict.error().reason == "hub_not_found");
  CHECK_THAT(strict.error().text, Catch::StartsWith("adapter lost: 'org/none' is not in"));
  auto lenient = find_adapters(listed, std::nullopt, hub.cache(), true);
  REQUIRE(lenient);
  REQUIRE(lenient->size() == 2);
  CHECK_FALSE((*lenient)[0].missing);
  CHECK((*lenient)[0].origin.text == scratch.path().string());
  REQUIRE((*lenient)[1].missing);
  CHECK((*lenient)[1].missing->reason == "hub_not_found");
}

TEST_CASE("the adapter of --model-id joins the list, once") {
  scratch_directory scratch;
  named_source own{"sql", scratch.path().string(), "", false};
  auto both = find_adapters({{"other", scratch.path().string(), "", false}}, own, {}, false);
  REQUIRE(both);
  REQUIRE(both->size() == 2);
  CHECK((*both)[1].name == "sql");
  auto twice = find_adapters({own}, own, {}, false);
  REQUIRE_FALSE(twice);
  CHECK(twice.error().code == errc::bad_config);
  CHECK_THAT(twice.error().text, Catch::Contains("'sql'") && Catch::Contains("once"));
}

TEST_CASE("an adapter may not have a name that means the base") {
  server_info info;
  info.model_id = "tiny/llama";
  info.served_model_names = {"tiny"};
  CHECK(check_names({{"sql", "x"}}, info));
  for (auto name : {"tiny/llama", "tiny", "tgi", "dummy"}) {
    auto checked = check_names({{"sql", "x"}, {name, "y"}}, info);
    REQUIRE_FALSE(checked);
    CHECK(checked.error().code == errc::bad_config);
    CHECK_THAT(checked.error().text, Catch::Contains(name));
  }
}
