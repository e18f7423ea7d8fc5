#include "tests/actors/adapter_house.hpp"
#include "tests/catch.hpp"

using namespace lorica;
using namespace lorica::test;

TEST_CASE("a loaded name serves, an unloaded one is unknown at once, and its bytes go back") {
  fake_books books;
  house h(books);
  auto job = h.load("sql", "a");
  REQUIRE(job);
  CHECK(job->changed);
  CHECK(*job->version == version_of("a"));
  auto request = h.ask("sql");
  REQUIRE(request->heard.has_value());
  CHECK((**request->heard).meaning->version == version_of("a"));
  CHECK(h.status("sql").users == 1);

  CHECK_FALSE(h.unload("sql").has_value());  // the request still runs
  CHECK(h.ask("sql")->heard->error().code == errc::unknown_adapter);
  CHECK(fake_executor::alive == 1);
  request->heard.reset();
  h.world.run();
  REQUIRE(h.last_unload->has_value());
  REQUIRE((*h.last_unload)->has_value());
  CHECK((**h.last_unload)->requests_finished == 1);
  CHECK((**h.last_unload)->requests_ended == 0);
  CHECK((**h.last_unload)->bytes_freed == 100);
  CHECK(fake_executor::alive == 0);
  auto again = h.unload("sql");
  REQUIRE(again);
  CHECK_FALSE(again->changed);
  CHECK(h.unload("never").error().code == errc::unknown_adapter);
}

TEST_CASE("abort ends the requests of a name, a deadline after its time; others go on") {
  fake_books books;
  house h(books);
  REQUIRE(h.load("sql", "a"));
  REQUIRE(h.load("chat", "b"));
  auto first = h.ask("sql");
  auto other = h.ask("chat");
  auto job = h.unload("sql", unload_mode::abort);
  REQUIRE(job);
  CHECK(job->requests_ended == 1);
  REQUIRE(first->ended.has_value());
  CHECK(first->ended->reason == "adapter_unloaded");
  CHECK_FALSE(other->ended.has_value());

  CHECK_FALSE(h.unload("chat", unload_mode::deadline).has_value());
  h.world.pass(4s);
  CHECK_FALSE(other->ended.has_value());
  h.world.pass(2s);
  CHECK(other->ended.has_value());
  CHECK(h.last_unload->has_value());
  CHECK(fake_executor::alive == 0);
}

TEST_CASE("new content is a new version; running requests keep theirs, equal content changes nothing") {
  fake_books books;
  house h(books);
  REQUIRE(h.load("sql", "a"));
  auto old = h.ask("sql");
  auto same = h.load("sql", "a");
  REQUIRE(same);
  CHECK_FALSE(same->changed);
  auto refused = h.load("sql", "a", [](adapter_load& l) { l.policy = load_policy::refuse; });
  CHECK(refused.error().reason == "already_loaded");
  auto next = h.load("sql", "b");
  REQUIRE(next);
  CHECK(next->changed);
  CHECK((**old->heard).meaning->version == version_of("a"));
  CHECK((**h.ask("sql")->heard).meaning->version == version_of("b"));
  CHECK(fake_executor::alive == 2);
  old->heard.reset();
  h.world.run();
  CHECK(fake_executor::alive == 1);
  auto wrong = h.load("sql", "c", [](adapter_load& l) { l.expected_version = version_of("a").hex(); });
  CHECK(wrong.error().reason == "version_mismatch");
  CHECK(h.load("sql", "c", [](adapter_load& l) { l.expected_version = version_of("b").short_hex(); }));
}

TEST_CASE("the same content under two names lies in memory once and leaves with the second") {
  fake_books books;
  house h(books);
  REQUIRE(h.load("one", "a"));
  REQUIRE(h.load("two", "a"));
  CHECK(fake_executor::alive == 1);
  auto first = h.unload("one");
  REQUIRE(first);
  CHECK(first->bytes_freed == 0);
  CHECK(fake_executor::alive == 1);
  CHECK(h.unload("two")->bytes_freed == 100);
  CHECK(fake_executor::alive == 0);
}

TEST_CASE("a load that fails changes nothing for a name that serves, and is told with its reason") {
  fake_books books;
  house h(books);
  REQUIRE(h.load("sql", "a"));
  auto bad = h.load("sql", "bad");
  CHECK(bad.error().reason == "rank_too_large");
  CHECK((**h.ask("sql")->heard).meaning->version == version_of("a"));
  CHECK(h.status("sql").failure == "rank_too_large");
  CHECK(books.rows.at("sql").source == "a");
  CHECK(h.load("new", "bad").error().reason == "rank_too_large");
  h.world.pass(100ms);
  auto counted = h.counters.text();
  CHECK(counted.find("lorica_adapter_loads_total{outcome=\"failed\"} 2") != std::string::npos);
  CHECK(counted.find("lorica_adapter_loads_total{outcome=\"ready\"} 1") != std::string::npos);
  CHECK_FALSE(books.rows.contains("new"));
}

TEST_CASE("the next life of the server has exactly what was acknowledged") {
  fake_books books;
  {
    house h(books);
    REQUIRE(h.load("sql", "a"));
    REQUIRE(h.load("chat", "b", [](adapter_load& l) { l.pin = true; }));
    REQUIRE(h.load("gone", "c"));
    REQUIRE(h.unload("gone"));
    std::optional<result<adapter_status>> alias;
    h.gate->set_alias("best", "chat", [&](auto r) { alias = std::move(r); });
    h.world.run();
    REQUIRE(alias->has_value());
  }
  house h(books);
  CHECK(h.status("sql").state == "ready");
  CHECK(h.status("sql").tier == "device");  // read ahead before anybody asked
  CHECK(h.status("sql").modules == 1);
  CHECK(h.measured == std::vector<bool>(h.measured.size(), true));  // nothing was known of them
  CHECK(h.status("chat").pinned);
  CHECK((**h.ask("best")->heard).meaning->version == version_of("b"));
  h.below_roots = {"gone"};
  CHECK(h.ask("gone")->heard->error().code == errc::unknown_adapter);
  REQUIRE(h.load("gone", "c"));
  CHECK(h.ask("gone")->heard->has_value());
}

TEST_CASE("what cannot be written down is not acknowledged, and a load of it does not serve") {
  fake_books books;
  house h(books);
  REQUIRE(h.load("sql", "a"));
  books.broken = true;
  CHECK(h.load("chat", "b").error().reason == "storage_unavailable");
  CHECK(h.load("sql", "b").error().reason == "storage_unavailable");
  CHECK((**h.ask("sql")->heard).meaning->version == version_of("a"));
  CHECK(fake_executor::alive == 1);
  CHECK(h.unload("sql", unload_mode::drain, answer_when::accepted).error().reason == "storage_unavailable");
  CHECK(h.ask("sql")->heard->error().code == errc::unknown_adapter);  // revoked all the same
}

TEST_CASE("a name below a root is loaded by the first request, written down by nobody") {
  fake_books books;
  house h(books);
  h.below_roots = {"found", "odd"};
  h.moved = {{"found", "a"}, {"odd", "bad"}, {"nowhere", "b"}};
  auto first = h.ask("found");
  REQUIRE(first->heard.has_value());
  REQUIRE(first->heard->has_value());
  CHECK((**first->heard).tier == "disk");
  CHECK((**h.ask("found")->heard).tier == "device");
  CHECK(h.status("found").dynamic);
  CHECK(books.rows.empty());
  CHECK(h.ask("odd")->heard->error().reason == "rank_too_large");
  CHECK(h.ask("nowhere")->heard->error().code == errc::unknown_adapter);
  h.below_roots.insert("nowhere");
  CHECK_FALSE(h.ask("nowhere")->heard->has_value());  // the last look is too young
  h.world.pass(6s);
  CHECK(h.ask("nowhere")->heard->has_value());
  auto registered = h.load("found", "found", [](adapter_load& l) { l.policy = load_policy::refuse; });
  CHECK(registered);
  CHECK_FALSE(h.status("found").dynamic);
  CHECK(books.rows.contains("found"));
}

TEST_CASE("a paused name lets requests wait until it is resumed, or for so long") {
  fake_books books;
  house h(books);
  REQUIRE(h.load("sql", "a"));
  auto act = [&](adapter_action what) {
    std::optional<result<adapter_status>> out;
    h.gate->act("sql", what, [&](auto r) { out = std::move(r); });
    h.world.run();
    REQUIRE(out->has_value());
    return **out;
  };
  h.gate->set_alias("also", "sql", [](const auto& r) { CHECK(r.has_value()); });
  CHECK(act(adapter_action::pause).paused);
  auto by_alias = h.ask("also");
  CHECK_FALSE(by_alias->heard.has_value());
  auto waits = h.ask("sql");
  CHECK_FALSE(waits->heard.has_value());
  CHECK_FALSE(act(adapter_action::resume).paused);
  REQUIRE(waits->heard.has_value());
  CHECK(waits->heard->has_value());
  CHECK(by_alias->heard.has_value());
  act(adapter_action::pause);
  auto late = h.ask("sql");
  h.world.pass(61s);
  REQUIRE(late->heard.has_value());
  CHECK(late->heard->error().reason == "adapter_paused");
}

TEST_CASE("a pinned version stays while others come and go; without room for it there is no pin") {
  fake_books books;
  house h(books, 250);
  REQUIRE(h.load("kept", "k", [](adapter_load& l) { l.pin = true; }));
  for (auto name : {"a", "b", "c", "d"})
    REQUIRE(h.load(name, name));
  CHECK(h.resident() == 2);
  CHECK(h.status("kept").tier == "device");
  REQUIRE(h.load("kept2", "k2", [](adapter_load& l) { l.pin = true; }));
  CHECK(h.load("kept3", "k3", [](adapter_load& l) { l.pin = true; }).error().reason == "memory_in_use");
  CHECK_FALSE(books.rows.contains("kept3"));
  CHECK(h.load("big", "big:300").error().reason == "too_large");
}

TEST_CASE("a name that is unloaded while its load goes into memory stays unloaded, also on disk") {
  fake_books books;
  house h(books);
  REQUIRE(h.load("sql", "a"));
  std::optional<result<adapter_job>> loaded, gone;
  adapter_load what;
  what.name = "sql";
  what.source = "b";
  h.gate->load(what, answer_when::ended, [&](auto job) { loaded = std::move(job); });
  // Whenever the unload comes between the messages of the load, it is the last word.
  h.world.run_some(GENERATE(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12));
  h.gate->unload({"sql", unload_mode::drain, 0}, answer_when::ended,
                 [&](auto job) { gone = std::move(job); });
  h.world.run();
  REQUIRE(loaded.has_value());
  REQUIRE(gone.has_value());
  CHECK(gone->has_value());
  CHECK(books.rows.at("sql").state == adapter_state::unloaded);
  CHECK(h.ask("sql")->heard->error().code == errc::unknown_adapter);
  CHECK(fake_executor::alive == 0);
}

TEST_CASE("an operator who pins what has no room hears so at once, and no wait is left behind") {
  fake_books books;
  house h(books, 250);
  REQUIRE(h.load("a", "a", [](adapter_load& l) { l.pin = true; }));
  REQUIRE(h.load("b", "b", [](adapter_load& l) { l.pin = true; }));
  REQUIRE(h.load("c", "c"));  // registered without room
  std::optional<result<adapter_status>> out;
  h.gate->act("c", adapter_action::pin, [&](auto r) { out = std::move(r); });
  h.world.run();
  REQUIRE(out.has_value());
  CHECK(out->error().reason == "memory_in_use");
  CHECK_FALSE(h.status("c").pinned);
  CHECK_FALSE(books.rows.at("c").pinned);
}

TEST_CASE("an adapter is evicted when asked for, serves again, and stays while a request or a pin holds it") {
  fake_books books;
  house h(books);
  REQUIRE(h.load("sql", "a"));
  auto act = [&](adapter_action what) {
    std::optional<result<adapter_status>> out;
    h.gate->act("sql", what, [&](auto r) { out = std::move(r); });
    h.world.run();
    REQUIRE(out.has_value());
    return *out;
  };
  REQUIRE(act(adapter_action::pin));
  CHECK(act(adapter_action::evict).error().reason == "memory_in_use");
  CHECK(h.status("sql").tier == "device");
  REQUIRE(act(adapter_action::unpin));
  auto gone = act(adapter_action::evict);
  REQUIRE(gone);
  CHECK(gone->tier == "disk");
  CHECK(fake_executor::alive == 0);
  CHECK(books.rows.at("sql").state == adapter_state::ready);
  CHECK(act(adapter_action::evict).has_value());  // it is not there
  CHECK(h.measured.size() == 1);
  CHECK(h.status("sql").modules == 1);
  auto visit = h.ask("sql");
  REQUIRE(visit->heard.has_value());
  CHECK(visit->heard->has_value());
  CHECK(h.measured == std::vector{true, false});  // its contents are known
  CHECK(h.status("sql").modules == 1);
  CHECK(act(adapter_action::prefetch).has_value());
  CHECK(h.status("sql").tier == "device");
}

TEST_CASE("many loads of one name and source are one load") {
  fake_books books;
  house h(books);
  int done = 0;
  for (int i = 0; i < 10; ++i) {
    adapter_load what;
    what.name = "sql";
    what.source = "a";
    h.gate->load(what, answer_when::ended, [&](const result<adapter_job>& job) { done += job ? 1 : 0; });
  }
  h.world.run();
  CHECK(done == 10);
  CHECK(h.reads == 1);
}

TEST_CASE("a declared set is compared as a whole, then made true") {
  fake_books books;
  house h(books);
  REQUIRE(h.load("keep", "a"));
  REQUIRE(h.load("change", "b"));
  REQUIRE(h.load("leave", "c"));
  std::vector<adapter_load> wanted;
  for (auto& [name, source] :
       std::map<std::string, std::string>{{"keep", "a"}, {"change", "d"}, {"fresh", "e"}}) {
    auto& one = wanted.emplace_back();
    one.name = name;
    one.source = source;
  }
  std::map<std::string, std::string> told;
  auto tell = [&](const result<std::vector<adapter_change>>& changes) {
    REQUIRE(changes.has_value());
    for (auto& c : *changes)
      told[c.name] = c.action;
  };
  const std::map<std::string, std::string> diff{
      {"keep", "keep"}, {"change", "update"}, {"fresh", "load"}, {"leave", "unload"}};
  h.gate->declare(wanted, declare_mode::compare, tell);
  h.world.run();
  CHECK(told == diff);
  CHECK((**h.ask("leave")->heard).meaning->version == version_of("c"));
  h.gate->declare(wanted, declare_mode::apply, tell);
  h.world.run();
  CHECK(told == diff);
  CHECK((**h.ask("change")->heard).meaning->version == version_of("d"));
  CHECK(h.ask("fresh")->heard->has_value());
  CHECK_FALSE(h.ask("leave")->heard->has_value());
}

TEST_CASE("routers see which adapters run and which wait") {
  fake_books books;
  house h(books);
  REQUIRE(h.load("sql", "a"));
  REQUIRE(h.load("chat", "b"));
  auto waits = h.ask("sql");
  h.world.pass(100ms);
  auto text = h.board->metrics_text();
  CHECK(
      text.find(
          "vllm:lora_requests_info{max_lora=\"10\",running_lora_adapters=\"\",waiting_lora_adapters=\"sql\"} "
          "1000.") != std::string::npos);
  CHECK(text.find("vllm:num_requests_waiting 0\n") != std::string::npos);
  CHECK(text.find("vllm:kv_cache_usage_perc 0\n") != std::string::npos);
  CHECK(text.find("vllm:prefix_cache_queries_total 0\n") != std::string::npos);
  CHECK(text.find("vllm:prefix_cache_hits_total 0\n") != std::string::npos);
}
