#include <future>

#include "tests/actors/fake_world.hpp"

using namespace lorica;
using namespace lorica::test;

namespace {

/// A prompt whose generation does not end by itself within `max_new` tokens.
std::string endless(const std::string& adapter, std::uint32_t max_new) {
  for (int i = 0;; ++i) {
    auto prompt = numbered("prompt ", i);
    if (!expect(adapter, prompt, max_new).eos) return prompt;
  }
}

}  // namespace

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
  CHECK(sink->facts()->served.adapters.empty());
  CHECK(sink->misorders() == 0);
  CHECK(world.at_rest());
}

TEST_CASE("requests for mixed adapters share steps and each gets its own tokens") {
  fake_world world(adapter_list{{"sql", "sql"}, {"chat", "chat"}});
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
    auto served = sinks[i]->facts()->served.adapters;
    CHECK((served.empty() ? "" : served.at(0).name) == names[i]);
    CHECK(sinks[i]->misorders() == 0);
  }
  CHECK(sinks[1]->facts()->served.adapters.at(0).version == version_of("sql"));
  CHECK(sinks[1]->facts()->served.adapters.at(0).tier == "device");
  CHECK(world.engine->most_adapters == 2);
  CHECK(world.engine->broken == 0);
  CHECK(world.at_rest());
}

TEST_CASE("choices of one request are independent and carry seed, seed + 1, and so on") {
  fake_world world;
  auto request = fake_world::ask("three ways");
  request.choices = 3;
  request.sampling.sample = true;
  request.sampling.seed = 41;
  auto sink = world.start(std::move(request)).first;
  REQUIRE(sink->wait());
  for (std::uint32_t i = 0; i < 3; ++i) {
    CHECK(sink->at(i).text == expect("", "three ways", 20, 41 + i).text);
    CHECK(sink->at(i).end->seed == 41 + i);
  }
  CHECK(sink->misorders() == 0);
  CHECK(world.at_rest());
}

TEST_CASE("a stop string ends its choice and what was computed beyond is neither shown nor counted") {
  fake_world world;
  auto prompt = endless("", 40);
  auto whole = expect("", prompt, 40).text;
  auto request = fake_world::ask(prompt, "", 40);
  request.stop = {whole.substr(5, 3)};
  auto at = whole.find(request.stop[0]);
  auto sink = world.start(std::move(request)).first;
  REQUIRE(sink->wait());
  auto got = sink->at(0);
  CHECK(got.text == whole.substr(0, at));
  CHECK(got.end->text == got.text);
  CHECK(got.end->reason == finish_reason::stop_sequence);
  CHECK(got.end->generated_tokens == at + 3);
  CHECK(got.tokens.size() == at + 3);
  CHECK(world.at_rest());
}

TEST_CASE("an unknown adapter is refused before anything starts") {
  fake_world world(adapter_list{{"sql", "sql"}});
  REQUIRE(world.live->wait_until_ready().has_value());
  auto sink = world.start(fake_world::ask("x", "nobody")).first;
  REQUIRE(sink->wait());
  CHECK(sink->why()->code == errc::unknown_adapter);
  CHECK(sink->why()->text == "The model `nobody` does not exist.");
  CHECK(sink->why()->param == "model");
  CHECK_FALSE(sink->facts().has_value());
  CHECK(world.at_rest());
}

TEST_CASE("a prompt above the limits is refused with its counts") {
  fake_world world({}, [](runtime_options& o) {
    o.max_input_tokens = 10;
    o.max_total_tokens = 20;
  });
  auto longer = world.start(fake_world::ask("12345678901")).first;
  REQUIRE(longer->wait());
  CHECK(longer->why()->code == errc::invalid);
  CHECK(longer->why()->text == "Input validation error: `inputs` must have less than 10 tokens. Given: 11");
  auto sum = world.start(fake_world::ask("12345", "", 16)).first;
  REQUIRE(sum->wait());
  CHECK(sum->why()->text ==
        "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 20. Given: 5 `inputs` tokens "
        "and 16 "
        "`max_new_tokens`");
  auto cut = fake_world::ask("12345678901", "", 5);
  cut.truncate = 3;
  auto truncated = world.start(std::move(cut)).first;
  REQUIRE(truncated->wait());
  CHECK(truncated->facts()->prompt_tokens == 3);
  CHECK(truncated->at(0).text == expect("", "901", 5).text);
}

TEST_CASE("a bad start-up adapter stops the start, naming itself and its reason") {
  fake_world world(adapter_list{{"sql", "sql"}, {"broken", "bad"}});
  auto ready = world.live->wait_until_ready();
  REQUIRE_FALSE(ready.has_value());
  CHECK(ready.error().code == errc::bad_adapter);
  CHECK(ready.error().reason == "rank_too_large");
  CHECK(ready.error().text.find("`broken`") != std::string::npos);
  CHECK_FALSE(world.status()->ready);
}

TEST_CASE("a bad start-up adapter that is skipped is listed as failed and the others serve") {
  fake_world world(adapter_list{{"broken", "bad"}, {"sql", "sql"}},
                   [](runtime_options& o) { o.skip_bad_adapters = true; });
  REQUIRE(world.live->wait_until_ready().has_value());
  auto s = world.status();
  CHECK(s->ready);
  REQUIRE(s->adapters.size() == 2);
  CHECK(s->adapters[0].name == "broken");
  CHECK(s->adapters[0].state == "failed");
  CHECK(s->adapters[0].failure == "rank_too_large");
  CHECK(s->adapters[1].state == "ready");
  auto good = world.start(fake_world::ask("x", "sql")).first;
  auto bad = world.start(fake_world::ask("x", "broken")).first;
  REQUIRE(good->wait());
  REQUIRE(bad->wait());
  CHECK(good->at(0).text == expect("sql", "x", 20).text);
  CHECK(bad->why()->code == errc::bad_adapter);
}

TEST_CASE("a start-up adapter without a directory ends as one that is refused, and is never read") {
  auto lost = fail(errc::unknown_adapter, "not in the cache", "hub_not_found");
  {
    fake_world strict(adapter_list{{"sql", "sql"}, {"lost", "sql", lost}});
    auto ready = strict.live->wait_until_ready();
    REQUIRE_FALSE(ready.has_value());
    CHECK(ready.error().reason == "hub_not_found");
    CHECK(ready.error().text.find("`lost`") != std::string::npos);
  }
  fake_world world(adapter_list{{"lost", "sql", lost}, {"sql", "sql"}},
                   [](runtime_options& o) { o.skip_bad_adapters = true; });
  REQUIRE(world.live->wait_until_ready().has_value());
  auto s = world.status();
  REQUIRE(s->adapters.size() == 2);
  CHECK(s->adapters[0].name == "lost");
  CHECK(s->adapters[0].state == "failed");
  CHECK(s->adapters[0].failure == "hub_not_found");
  CHECK(s->adapters[1].state == "ready");
}

TEST_CASE("two names of one content share one copy") {
  fake_world world(adapter_list{{"a", "sql"}, {"b", "sql"}});
  REQUIRE(world.live->wait_until_ready().has_value());
  CHECK(eventually([] { return fake_executor::alive == 1; }));
  for (auto name : {"a", "b"}) {
    auto sink = world.start(fake_world::ask("x", name)).first;
    REQUIRE(sink->wait());
    CHECK(sink->at(0).text == expect("sql", "x", 20).text);
  }
}

TEST_CASE("adapters beyond the budget come and go, and every request gets its own") {
  const std::vector<std::string> adapters{"a", "b", "c", "d", "e"};
  adapter_list all{};
  for (auto& name : adapters)
    all.add({name, name});
  {
    fake_world world(all, [](runtime_options& o) { o.adapter_bytes = 250; });
    REQUIRE(world.live->wait_until_ready().has_value());
    std::vector<std::shared_ptr<collecting_sink>> sinks;
    for (int i = 0; i < 40; ++i)
      sinks.push_back(world.start(fake_world::ask(numbered("p", i), adapters[i % 5], 12)).first);
    for (int i = 0; i < 40; ++i) {
      REQUIRE(sinks[i]->wait());
      INFO(i << (sinks[i]->why() ? sinks[i]->why()->text : ""));
      CHECK(sinks[i]->at(0).text == expect(adapters[i % 5], numbered("p", i), 12).text);
    }
    CHECK(world.engine->broken == 0);
    CHECK(world.at_rest());
    CHECK(eventually([] { return fake_executor::alive <= 2; }));
  }
  CHECK(fake_executor::alive == 0);
}

TEST_CASE("sequences that do not fit the pool together take turns and lose nothing") {
  auto limits = fake_world::default_limits();
  limits.blocks = 12;
  fake_world world({}, {}, limits);
  std::vector<std::shared_ptr<collecting_sink>> sinks;
  for (int i = 0; i < 12; ++i)
    sinks.push_back(world.start(fake_world::ask(numbered("seq ", i), "", 30)).first);
  for (int i = 0; i < 12; ++i) {
    REQUIRE(sinks[i]->wait());
    CHECK(sinks[i]->at(0).text == expect("", numbered("seq ", i), 30).text);
  }
  CHECK(world.engine->broken == 0);
  CHECK(world.status()->preemptions > 0);
  CHECK(world.at_rest());
}

TEST_CASE("prompt tokens are reported when asked for and texts are tokenised with their places") {
  fake_world world;
  auto request = fake_world::ask("abc", "", 2);
  request.prompt_tokens_wanted = true;
  auto sink = world.start(std::move(request)).first;
  REQUIRE(sink->wait());
  REQUIRE(sink->facts()->prompts.at(0).size() == 3);
  CHECK(sink->facts()->prompts.at(0)[1].text == "b");
  std::promise<result<std::vector<token_span>>> answer;
  world.live->tokens().tokenize("hey", true, [&](auto spans) { answer.set_value(std::move(spans)); });
  auto spans = answer.get_future().get();
  REQUIRE(spans.has_value());
  CHECK(spans->at(2).text == "y");
}

TEST_CASE("the metrics name what was served") {
  fake_world world(adapter_list{{"sql", "sql"}});
  REQUIRE(world.live->wait_until_ready().has_value());
  auto sink = world.start(fake_world::ask("x", "sql")).first;
  REQUIRE(sink->wait());
  auto want =
      fmt::format("lorica_generated_tokens_total{{adapter=\"sql\"}} {}", expect("sql", "x", 20).tokens);
  CHECK(eventually([&] { return world.live->status().metrics_text().find(want) != std::string::npos; }));
  auto text = world.live->status().metrics_text();
  for (auto name :
       {"lorica_steps_total", "lorica_kv_blocks_total 64", "tgi_request_success 1", "tgi_queue_size",
        "lorica_time_to_first_token_seconds_count 1", "lorica_inter_token_seconds_count"}) {
    INFO(name);
    CHECK(text.find(name) != std::string::npos);
  }
}
