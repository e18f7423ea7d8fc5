#include "adapters/catalogue.hpp"

#include "tests/catch.hpp"

using namespace lorica;

namespace {

adapter_version version(std::uint8_t n) {
  adapter_version v;
  v.digest[0] = n;
  return v;
}

version_reference reference(std::uint8_t n, std::string source = "dir") {
  return {version(n), std::move(source), {8}, 100};
}

void load(catalogue& names, std::string_view name, std::uint8_t n) {
  auto ticket = names.begin_load(name, "dir", when_loaded::replace, 1);
  REQUIRE(ticket);
  REQUIRE(names.finish_load(*ticket, reference(n)));
}

}  // namespace

TEST_CASE("a name goes from loading to ready and resolves to its version") {
  catalogue names;
  CHECK(names.resolve("sql").error().code == errc::unknown_adapter);
  auto ticket = names.begin_load("sql", "data/sql", when_loaded::refuse, 77);
  REQUIRE(ticket);
  CHECK(names.resolve("sql").error().code == errc::unavailable);
  CHECK(names.find("sql")->state == adapter_state::loading);
  REQUIRE(names.finish_load(*ticket, reference(1, "data/sql")));
  auto now = names.resolve("sql");
  REQUIRE(now);
  CHECK((*now)->version == version(1));
  CHECK((*now)->source == "data/sql");
  CHECK(names.find("sql")->created == 77);
  CHECK(names.find("sql")->state == adapter_state::ready);
  CHECK_FALSE(names.finish_load(*ticket, reference(2)));
  CHECK((*names.resolve("sql"))->version == version(1));
}

TEST_CASE("a failed first load keeps its reason until the next one succeeds") {
  catalogue names;
  auto ticket = names.begin_load("sql", "dir", when_loaded::refuse, 1);
  REQUIRE(names.fail_load(*ticket, fail(errc::bad_adapter, "too much", "rank_too_large")));
  CHECK(names.find("sql")->state == adapter_state::failed);
  CHECK(names.resolve("sql").error().reason == "rank_too_large");
  load(names, "sql", 1);
  CHECK_FALSE(names.find("sql")->failure);
  CHECK(names.resolve("sql"));
}

TEST_CASE("a reload serves the old version until the new one is there, and keeps it when that fails") {
  catalogue names;
  load(names, "sql", 1);
  auto held = *names.resolve("sql");
  auto again = names.begin_load("sql", "dir", when_loaded::refuse, 2);
  REQUIRE_FALSE(again);
  CHECK(again.error().reason == "already_loaded");
  auto bad = names.begin_load("sql", "dir", when_loaded::replace, 2);
  REQUIRE(bad);
  CHECK(names.find("sql")->reloading);
  CHECK((*names.resolve("sql"))->version == version(1));
  REQUIRE(names.fail_load(*bad, fail(errc::bad_adapter, "no", "bad_config")));
  CHECK(names.find("sql")->state == adapter_state::ready);
  CHECK(names.find("sql")->failure->reason == "bad_config");
  CHECK((*names.resolve("sql"))->version == version(1));
  load(names, "sql", 2);
  CHECK((*names.resolve("sql"))->version == version(2));
  CHECK(held->version == version(1));
  CHECK_FALSE(names.names_version(version(1)));
  CHECK(names.find("sql")->created == 1);
}

TEST_CASE("a newer load makes the older ticket void") {
  catalogue names;
  auto first = names.begin_load("sql", "a", when_loaded::refuse, 1);
  CHECK(names.begin_load("sql", "b", when_loaded::refuse, 1).error().reason == "already_loading");
  auto second = names.begin_load("sql", "b", when_loaded::replace, 1);
  REQUIRE(second);
  CHECK_FALSE(names.finish_load(*first, reference(1)));
  CHECK_FALSE(names.fail_load(*first, fail(errc::io, "late")));
  CHECK(names.finish_load(*second, reference(2)));
  CHECK((*names.resolve("sql"))->version == version(2));
}

TEST_CASE("an unloaded name is unknown at once, and a load that was running is void") {
  catalogue names;
  load(names, "sql", 1);
  auto ticket = names.begin_load("sql", "dir", when_loaded::replace, 2);
  auto was = names.unload("sql");
  REQUIRE(was);
  CHECK((*was)->version == version(1));
  CHECK(names.resolve("sql").error().code == errc::unknown_adapter);
  CHECK_FALSE(names.finish_load(*ticket, reference(2)));
  CHECK(names.resolve("sql").error().code == errc::unknown_adapter);
  CHECK(names.find("sql")->state == adapter_state::unloaded);
  CHECK(names.unload("sql").error().code == errc::unknown_adapter);
  CHECK_FALSE(names.names_version(version(1)));
  auto back = names.begin_load("sql", "dir", when_loaded::refuse, 9);
  REQUIRE(back);
  REQUIRE(names.finish_load(*back, reference(3)));
  CHECK((*names.resolve("sql"))->version == version(3));
  CHECK(names.find("sql")->created == 9);
}

TEST_CASE("the same content under two names is one version") {
  catalogue names;
  load(names, "b", 1);
  load(names, "a", 1);
  load(names, "c", 2);
  auto all = names.versions();
  REQUIRE(all.size() == 2);
  CHECK(all[0].version == version(1));
  CHECK(all[0].names == std::vector<std::string>{"a", "b"});
  CHECK(all[1].names == std::vector<std::string>{"c"});
  REQUIRE(names.unload("b"));
  CHECK(names.names_version(version(1)));
  REQUIRE(names.unload("a"));
  CHECK_FALSE(names.names_version(version(1)));
}

TEST_CASE("an alias follows its target and can be pointed elsewhere") {
  catalogue names;
  load(names, "blue", 1);
  load(names, "green", 2);
  REQUIRE(names.set_alias("prod", "blue", 5));
  CHECK((*names.resolve("prod"))->version == version(1));
  load(names, "blue", 3);
  CHECK((*names.resolve("prod"))->version == version(3));
  CHECK(names.find("prod")->alias_of == "blue");
  CHECK(names.find("prod")->current->version == version(3));
  REQUIRE(names.set_alias("prod", "green", 6));
  CHECK((*names.resolve("prod"))->version == version(2));
  CHECK(names.versions().size() == 2);

  CHECK(names.set_alias("x", "prod", 6).error().code == errc::invalid);
  CHECK(names.set_alias("x", "nobody", 6).error().code == errc::unknown_adapter);
  CHECK(names.set_alias("green", "blue", 6).error().code == errc::invalid);
  CHECK(names.set_alias("green", "green", 6).error().code == errc::invalid);
  CHECK(names.set_alias("../x", "green", 6).error().reason == "invalid_name");
  CHECK(names.begin_load("prod", "dir", when_loaded::replace, 6).error().code == errc::invalid);

  REQUIRE(names.unload("green"));
  CHECK(names.resolve("prod").error().code == errc::unknown_adapter);
  CHECK(names.find("prod")->state == adapter_state::unloaded);
  REQUIRE(names.unload("prod"));
  CHECK_FALSE(names.find("prod"));
  CHECK((*names.resolve("blue"))->version == version(3));
}

TEST_CASE("a bad name is refused before it takes a place") {
  catalogue names;
  CHECK(names.begin_load("../etc", "dir", when_loaded::refuse, 1).error().reason == "invalid_name");
  CHECK(names.list().empty());
}

TEST_CASE("the catalogue is bounded, and the longest unloaded name makes room") {
  catalogue names(3);
  load(names, "a", 1);
  load(names, "b", 2);
  load(names, "c", 3);
  CHECK(names.begin_load("d", "dir", when_loaded::refuse, 1).error().code == errc::out_of_memory);
  REQUIRE(names.unload("b"));
  REQUIRE(names.unload("a"));
  load(names, "d", 4);
  CHECK_FALSE(names.find("b"));
  CHECK(names.find("a"));
  REQUIRE(names.set_alias("e", "d", 1));
  CHECK_FALSE(names.find("a"));
  CHECK(names.set_alias("f", "d", 1).error().code == errc::out_of_memory);
  CHECK(names.list().size() == 3);
}
