#include "actors/unknown_adapter.hpp"

#include "tests/actors/fake_world.hpp"

using namespace lorica;
using namespace lorica::test;
using namespace std::chrono_literals;

namespace {

void base_answers(runtime_options& o) {
  o.base_for_unknown = true;
  o.skip_bad_adapters = true;
  o.adapter_wait = 50ms;
}

bool has(const metrics& counters, const std::string& line) {
  return eventually([&] { return counters.text().find("\n" + line + "\n") != std::string::npos; });
}

/// Waits for the outcome: the code of the failure, or nothing where somebody answered.
std::optional<errc> outcome(const std::shared_ptr<collecting_sink>& sink) {
  REQUIRE(sink->wait());
  auto why = sink->why();
  return why ? std::optional(why->code) : std::nullopt;
}

}  // namespace

TEST_CASE("where the operator wants it, the base answers for a name that nobody has, and the reply says so") {
  fake_world world(adapter_list{{"sql", "sql"}}, base_answers);
  REQUIRE(world.live->wait_until_ready());
  auto request = fake_world::ask("x", "nobody");
  request.adapters[0].weight = 0.5f;
  auto sink = world.start(std::move(request)).first;
  REQUIRE_FALSE(outcome(sink));
  CHECK(sink->at(0).text == expect("", "x", 20).text);
  CHECK(sink->facts()->served.fallback);
  CHECK(sink->facts()->served.adapters.empty());
  CHECK(sink->facts()->served.model_id == "fake-base");
  CHECK(sink->misorders() == 0);

  // Names that are there and requests for the base are served as ever.
  for (auto name : {"sql", ""}) {
    auto other = world.start(fake_world::ask("x", name)).first;
    REQUIRE_FALSE(outcome(other));
    CHECK(other->at(0).text == expect(name, "x", 20).text);
    CHECK_FALSE(other->facts()->served.fallback);
  }
  CHECK(has(world.counters, "lorica_unknown_adapter_fallbacks_total 1"));
  CHECK(has(world.counters, "lorica_requests_total{adapter=\"\"} 2"));
  CHECK(has(world.counters, "lorica_requests_total{adapter=\"sql\"} 1"));
  CHECK(world.counters.text().find("nobody") == std::string::npos);
  CHECK(world.at_rest());
}

TEST_CASE("one unknown name of several is refused all the same") {
  fake_world world(adapter_list{{"sql", "sql"}}, base_answers);
  REQUIRE(world.live->wait_until_ready());
  auto request = fake_world::ask("x");
  request.adapters = {{"sql"}, {"nobody"}};
  CHECK(outcome(world.start(std::move(request)).first) == errc::unknown_adapter);
  CHECK(world.at_rest());
}

TEST_CASE("an adapter that is there and cannot serve is never replaced by the base") {
  fake_world world(adapter_list{{"broken", "bad"}, {"lost", "gone"}, {"paused", "sql"}, {"leaving", "chat"}},
                   base_answers);
  REQUIRE(world.live->wait_until_ready());
  CHECK(outcome(world.start(fake_world::ask("x", "broken")).first) == errc::bad_adapter);
  CHECK(outcome(world.start(fake_world::ask("x", "lost")).first) == errc::unknown_adapter);

  auto& service = world.live->adapters();
  std::atomic<bool> paused = false, unloading = false;
  service.act("paused", adapter_action::pause, [&](const auto& done) { paused = done.has_value(); });
  REQUIRE(eventually([&] { return paused.load(); }));
  CHECK(outcome(world.start(fake_world::ask("x", "paused")).first) == errc::overloaded);

  // While a request still runs with it, a name that is being unloaded is no unknown one; afterwards it is.
  world.engine->hold();
  std::shared_ptr<void> at_end(nullptr, [&](void*) { world.engine->release(); });
  auto running = world.start(fake_world::ask("x", "leaving")).first;
  REQUIRE(world.engine->wait_held());
  service.unload({"leaving", unload_mode::drain, 0}, answer_when::accepted,
                 [&](const auto& job) { unloading = job.has_value(); });
  REQUIRE(eventually([&] { return unloading.load(); }));
  auto late = world.start(fake_world::ask("x", "leaving")).first;
  CHECK(outcome(late) == errc::unknown_adapter);
  CHECK(late->why()->reason == "adapter_unloading");
  world.engine->release();
  REQUIRE_FALSE(outcome(running));
  REQUIRE(world.at_rest());
  REQUIRE(eventually([&] {
    auto sink = world.start(fake_world::ask("x", "leaving")).first;
    return !outcome(sink) && sink->facts()->served.fallback;
  }));
  CHECK(has(world.counters, "lorica_unknown_adapter_fallbacks_total 1"));
}

TEST_CASE("a name is nobody's only when it is the one that was asked for and nothing stands behind it") {
  CHECK(nobody_has(fail(errc::unknown_adapter, "x"), 1));
  CHECK(nobody_has(fail(errc::unknown_adapter, "x", "hub_not_found"), 1));
  CHECK_FALSE(nobody_has(fail(errc::unknown_adapter, "x"), 2));
  CHECK_FALSE(nobody_has(fail(errc::unknown_adapter, "x", "missing_file"), 1));
  CHECK_FALSE(nobody_has(fail(errc::unknown_adapter, "x", "adapter_unloading"), 1));
  for (auto code : {errc::bad_adapter, errc::timeout, errc::overloaded, errc::unavailable})
    CHECK_FALSE(nobody_has(fail(code, "x"), 1));
}

TEST_CASE("fallbacks are logged at most once in ten seconds, with how many there were") {
  fallback_notes notes;
  fallback_notes::time_point at{100s};
  auto first = notes.note("a\nb", at);
  REQUIRE(first);
  CHECK_THAT(*first, Catch::Contains("'a?b'") && Catch::Contains("; 1 such request since"));
  for (int i = 1; i < 100; ++i)
    CHECK_FALSE(notes.note("n", at + 100ms * i));
  auto next = notes.note("c", at + 10s);
  REQUIRE(next);
  CHECK_THAT(*next, Catch::Contains("'c'") && Catch::Contains("; 100 such requests since"));
  CHECK_FALSE(notes.note("d", at + 19s));
}
