#include <future>
#include <random>

#include "tests/actors/fake_world.hpp"

using namespace lorica;
using namespace lorica::test;

namespace {

generation_request long_request(const std::string& prompt, const std::string& adapter = {}) {
  auto out = fake_world::ask(prompt, adapter, 100);
  out.ignore_eos = true;
  return out;
}

bool one_outcome(collecting_sink& sink) {
  return sink.misorders() == 0 && sink.is_done() != sink.why().has_value();
}

}  // namespace

TEST_CASE("a cancel at any stage frees blocks, leases and sessions") {
  fake_world world(adapter_list{{"sql", "sql"}});
  REQUIRE(world.live->wait_until_ready().has_value());
  SECTION("at once") {
    auto [sink, handle] = world.start(long_request("a", "sql"));
    handle->cancel();
    handle->cancel();
    REQUIRE(sink->wait());
    CHECK(sink->why()->code == errc::cancelled);
    CHECK(one_outcome(*sink));
  }
  SECTION("in the queue") {
    world.engine->hold();
    std::vector<std::shared_ptr<generation_handle>> handles;
    std::vector<std::shared_ptr<collecting_sink>> sinks;
    for (int i = 0; i < 12; ++i) {
      auto [sink, handle] = world.start(long_request(numbered("a", i), "sql"));
      sinks.push_back(sink);
      handles.push_back(handle);
    }
    REQUIRE(eventually([&] { return world.status()->waiting_sequences > 0; }));
    for (auto& handle : handles)
      handle->cancel();
    for (auto& sink : sinks)
      REQUIRE(sink->wait());
    world.engine->release();
    for (auto& sink : sinks)
      CHECK(one_outcome(*sink));
  }
  SECTION("while its step runs") {
    world.engine->hold();
    auto [sink, handle] = world.start(long_request("a", "sql"));
    REQUIRE(world.engine->wait_held());
    handle->cancel();
    REQUIRE(sink->wait());
    CHECK(world.status()->kv_blocks_used > 0);  // the step still reads them
    world.engine->release();
    CHECK(sink->why()->code == errc::cancelled);
  }
  SECTION("between tokens") {
    world.engine->allow(5);
    auto [sink, handle] = world.start(long_request("a", "sql"));
    REQUIRE(sink->wait_tokens(5));
    handle->cancel();
    REQUIRE(sink->wait());
    world.engine->release();
    CHECK(sink->tokens() == 5);
    CHECK(one_outcome(*sink));
  }
  SECTION("after the end") {
    auto [sink, handle] = world.start(fake_world::ask("a", "sql", 3));
    REQUIRE(sink->wait());
    handle->cancel();
    handle->resume();
    CHECK(sink->is_done());
  }
  CHECK(world.at_rest());
  auto again = world.start(fake_world::ask("again", "sql")).first;
  REQUIRE(again->wait());
  CHECK(again->at(0).text == expect("sql", "again", 20).text);
}

TEST_CASE("a failed step ends what ran in it and the service goes on") {
  fake_world world;
  world.engine->hold();
  auto first = world.start(long_request("a")).first;
  REQUIRE(world.engine->wait_held());
  SECTION("by its result") {
    world.engine->failures = 1;
  }
  SECTION("by an exception") {
    world.engine->throws = true;
  }
  world.engine->release();
  REQUIRE(first->wait());
  REQUIRE(first->why().has_value());
  CHECK(eventually([&] { return !world.status()->healthy; }));
  auto next = world.start(fake_world::ask("b")).first;
  REQUIRE(next->wait());
  CHECK(next->at(0).text == expect("", "b", 20).text);
  CHECK(eventually([&] { return world.status()->healthy; }));
  CHECK(world.fatals == 0);
  CHECK(world.at_rest());
}

TEST_CASE("a step that loses the device fails what ran in it, and ends the service") {
  fake_world world;
  world.engine->hold();
  auto first = world.start(long_request("a")).first;
  REQUIRE(world.engine->wait_held());
  CHECK(world.fatals == 0);
  world.engine->gone = true;
  world.engine->release();
  REQUIRE(first->wait());
  REQUIRE(first->why().has_value());
  CHECK(first->why()->code == errc::generation_failed);
  CHECK(eventually([&] { return world.fatals > 0; }));
  CHECK_FALSE(world.status()->healthy);
}

TEST_CASE("a saturated sink pauses its sequence and nobody else's") {
  constexpr std::size_t slow_tokens = 110;
  fake_world world;
  // As long as the model allows: the pause comes before the end, also when it is late.
  auto slow_request = fake_world::ask("slow", "", slow_tokens);
  slow_request.ignore_eos = true;
  auto sink = std::make_shared<collecting_sink>();
  sink->full = true;
  auto handle = world.live->generations().start(slow_request, sink);
  REQUIRE(sink->wait_tokens(1));
  for (int i = 0; i < 5; ++i) {
    auto other = world.start(fake_world::ask(numbered("other ", i), "", 30)).first;
    REQUIRE(other->wait());
  }
  CHECK(sink->tokens() < slow_tokens);
  handle->resume();  // still full: nothing may change
  auto other = world.start(long_request("one more")).first;
  REQUIRE(other->wait());
  CHECK(sink->tokens() < slow_tokens);
  sink->full = false;
  handle->resume();
  REQUIRE(sink->wait());
  CHECK(sink->is_done());
  CHECK(sink->tokens() == slow_tokens);
  CHECK(world.at_rest());
}

TEST_CASE("64 requests with random cancels all end once and leave nothing behind") {
  const unsigned seed = 20240607;
  INFO("seed " << seed);
  std::mt19937 random(seed);
  {
    fake_world world(adapter_list{{"sql", "sql"}, {"chat", "chat"}},
                     [](runtime_options& o) { o.adapter_bytes = 150; });
    REQUIRE(world.live->wait_until_ready().has_value());
    const std::vector<std::string> names{"", "sql", "chat"};
    struct job {
      std::string adapter, prompt;
      std::uint32_t max_new;
      bool cancel;
      std::size_t after;
      std::shared_ptr<collecting_sink> sink;
      std::shared_ptr<generation_handle> handle;
    };
    std::vector<job> jobs;
    for (int i = 0; i < 64; ++i) {
      job j{names[random() % 3],
            numbered("job ", i),
            1 + static_cast<std::uint32_t>(random() % 60),
            random() % 2 == 0,
            random() % 30,
            nullptr,
            nullptr};
      std::tie(j.sink, j.handle) = world.start(fake_world::ask(j.prompt, j.adapter, j.max_new));
      jobs.push_back(std::move(j));
    }
    for (auto& j : jobs) {
      if (!j.cancel) continue;
      if (j.after % 3 != 0) REQUIRE(j.sink->wait_tokens(j.after));
      j.handle->cancel();
    }
    for (auto& j : jobs) {
      REQUIRE(j.sink->wait());
      auto want = expect(j.adapter, j.prompt, j.max_new).text;
      auto got = j.sink->at(0).text;
      INFO(j.prompt << " of " << j.adapter);
      CHECK(one_outcome(*j.sink));
      CHECK(want.substr(0, got.size()) == got);
      if (!j.cancel) CHECK(got == want);
    }
    CHECK(world.engine->broken == 0);
    CHECK(world.at_rest());
  }
  CHECK(fake_executor::alive == 0);
}

TEST_CASE("drain lets running requests finish and refuses new ones") {
  fake_world world;
  world.engine->allow(3);
  auto running = world.start(fake_world::ask("a")).first;
  REQUIRE(running->wait_tokens(3));
  auto drained = std::async(std::launch::async, [&] { return world.live->drain(std::chrono::seconds(10)); });
  REQUIRE(eventually([&] { return world.status()->draining; }));
  REQUIRE(eventually([&] {
    auto sink = world.start(fake_world::ask("late", "", 1)).first;
    return sink->why() && sink->why()->code == errc::unavailable;
  }));
  world.engine->release();
  CHECK(drained.get());
  CHECK(running->at(0).text == expect("", "a", 20).text);
}

TEST_CASE("drain ends what is left at its limit with an error") {
  fake_world world;
  world.engine->hold();
  auto running = world.start(long_request("a")).first;
  REQUIRE(world.engine->wait_held());
  CHECK_FALSE(world.live->drain(std::chrono::milliseconds(0)));
  REQUIRE(running->wait());
  CHECK(running->why()->code == errc::incomplete);
  world.engine->release();
}

TEST_CASE("a shutdown in the middle of 100 requests gives each its outcome and ends") {
  std::vector<std::pair<std::shared_ptr<collecting_sink>, std::shared_ptr<generation_handle>>> all;
  {
    fake_world world(adapter_list{{"sql", "sql"}});
    REQUIRE(world.live->wait_until_ready().has_value());
    for (int i = 0; i < 100; ++i)
      all.push_back(world.start(long_request(numbered("s", i), i % 2 ? "sql" : "")));
    REQUIRE(all[0].first->wait_tokens(10));
  }
  for (auto& [sink, handle] : all) {
    CHECK(one_outcome(*sink));
    handle->cancel();  // a handle outlives its runtime
  }
  CHECK(fake_executor::alive == 0);
}

TEST_CASE("an interrupt ends the wait for adapters and the load itself") {
  fake_world world(adapter_list{{"slow", "hang"}});
  auto ready = std::async(std::launch::async, [&] { return world.live->wait_until_ready(); });
  world.live->interrupt();
  auto outcome = ready.get();
  REQUIRE_FALSE(outcome.has_value());
  CHECK(outcome.error().code == errc::cancelled);
}

TEST_CASE("a load that takes long delays nobody, and who names it waits only so long") {
  fake_world world(adapter_list{{"sql", "sql"}, {"slow", "hang"}},
                   [](runtime_options& o) { o.adapter_wait = std::chrono::milliseconds(50); });
  auto base = world.start(fake_world::ask("x")).first;
  REQUIRE(base->wait());
  CHECK(base->is_done());
  auto early = world.start(fake_world::ask("x", "slow")).first;
  REQUIRE(early->wait());
  CHECK(early->why()->code == errc::timeout);
  CHECK(early->why()->reason == "load_timeout");
  CHECK_FALSE(world.status()->ready);
}

TEST_CASE("limits that contradict each other or the executor stop the start") {
  auto engine = fake_world::default_limits();
  model_config model;
  model.max_positions = 128;
  runtime_options options;
  CHECK(decide_limits(options, engine, model)->max_total_tokens == 128);
  CHECK(decide_limits(options, engine, model)->max_input_tokens == 127);
  options.max_total_tokens = 129;
  CHECK(decide_limits(options, engine, model).error().code == errc::bad_config);
  options.max_total_tokens = 100;
  options.max_input_tokens = 100;
  CHECK(decide_limits(options, engine, model).error().code == errc::bad_config);
  options.max_input_tokens = 99;
  CHECK(decide_limits(options, engine, model).has_value());
  options.max_sequences = 9;
  CHECK(decide_limits(options, engine, model).error().code == errc::bad_config);
}
