#include "tests/actors/fake_world.hpp"

using namespace lorica;
using namespace lorica::test;

TEST_CASE("a prompt to the base becomes its tokens") {
  fake_world world;
  auto [sink, handle] = world.start(fake_world::ask("hello"));
  REQUIRE(sink->wait());
  CHECK(sink->is_done());
  auto want = expect("", "hello", 20);
  auto got = sink->at(0);
  CHECK(got.text == want.text);
  REQUIRE(got.end.has_value());
  CHECK(got.end->text == want.text);
  CHECK(got.end->generated_tokens == want.tokens);
  CHECK(got.end->reason == (want.eos ? finish_reason::eos_token : finish_reason::length));
  CHECK(sink->facts()->prompt_tokens == 5);
  CHECK(sink->facts()->served.model_id == "fake-base");
  CHECK_FALSE(sink->facts()->served.version.has_value());
  CHECK(sink->misorders() == 0);
  CHECK(world.at_rest());
}

TEST_CASE("requests for mixed adapters share steps and each gets its own tokens") {
  fake_world world({{"sql", "sql"}, {"chat", "chat"}});
  REQUIRE(world.live->wait_until_ready().has_value());
  world.engine->hold();
  std::vector<std::shared_ptr<collecting_sink>> sinks;
  std::vector<std::string> names{"", "sql", "chat", "sql", "", "chat"};
  for (auto& name : names)
    sinks.push_back(world.start(fake_world::ask("same prompt", name)).first);
  REQUIRE(eventually([&] {
    auto s = world.status();
    return s->running_sequences + s->waiting_sequences == names.size();
  }));
  world.engine->release();
  for (std::size_t i = 0; i < names.size(); ++i) {
    REQUIRE(sinks[i]->wait());
    INFO("adapter " << names[i]);
    CHECK(sinks[i]->at(0).text == expect(names[i], "same prompt", 20).text);
    CHECK(sinks[i]->facts()->served.adapter == names[i]);
    CHECK(sinks[i]->misorders() == 0);
  }
  CHECK(world.engine->most_adapters == 2);
  CHECK(world.engine->broken == 0);
  CHECK(world.at_rest());
}
