// What a request may ask for beside its text: alternatives, log-probabilities of the prompt, the best of
// many, stop tokens, rules.
#include "actors/best_choices.hpp"
#include "actors/choice_output.hpp"
#include "actors/prompt_limits.hpp"
#include "actors/running_requests.hpp"
#include "tests/actors/fake_world.hpp"
#include "tests/actors/session_stage.hpp"

using namespace lorica;
using namespace lorica::test;

namespace {

choice_output make_output(const generation_request& request) {
  return choice_output(std::make_shared<fake_tokenizer>(), request, {});
}

sequence_token told(token_id token, float logprob, std::uint32_t rank = 1,
                    std::vector<token_logprob> top = {}) {
  return {10, token, logprob, rank, std::move(top)};
}

/// A prompt whose first `count` tokens do not end the generation.
std::string endless(std::uint32_t count) {
  for (int n = 0;; ++n)
    if (auto prompt = numbered("p", n); !expect("", prompt, count).eos) return prompt;
}

}  // namespace

TEST_CASE("a stop token ends as a stop sequence, its text beside the generated text unless it is kept") {
  for (bool kept : {false, true}) {
    generation_request request;
    request.include_stop = kept;
    auto out = make_output(request);
    out.push('a', 0, std::nullopt);
    auto last = out.push('b', 0, finish_reason::stop_sequence);
    CHECK(out.text() == (kept ? "ab" : "a"));
    CHECK(last.hidden_text == (kept ? "" : "b"));
    CHECK(last.bytes == "b");
    CHECK(out.ended() == finish_reason::stop_sequence);
    CHECK(std::get<token_id>(out.cause()) == 'b');
    CHECK(out.tokens() == 2);
  }
}

TEST_CASE(
    "what is held back for a stop string comes out before a stop token, whatever bytes that stands for") {
  generation_request request;
  request.stop = {"abc"};
  auto out = make_output(request);
  out.push('a', 0, std::nullopt);
  out.push('b', 0, std::nullopt);
  auto last = out.push(0xC3, 0, finish_reason::stop_sequence);
  CHECK(last.text == "ab");
  CHECK(last.hidden_text == "\uFFFD");
  CHECK(last.bytes == "\xC3");
}

TEST_CASE("the cause of an end is the stop string that matched, or nothing") {
  generation_request request;
  request.stop = {"zz", "bc"};
  auto stopped = make_output(request);
  for (char c : std::string("abc"))
    stopped.push(c, 0, std::nullopt);
  CHECK(std::get<std::string>(stopped.cause()) == "bc");
  auto by_length = make_output(request);
  by_length.push('a', 0, finish_reason::length);
  CHECK(std::holds_alternative<std::monostate>(by_length.cause()));
  auto by_eos = make_output(request);
  by_eos.push(fake_tokenizer::eos_id, 0, finish_reason::eos_token);
  CHECK(std::holds_alternative<std::monostate>(by_eos.cause()));
}

TEST_CASE("stop strings that are complete within min_tokens are text; one that ends later stops") {
  generation_request request;
  request.stop = {"ab"};
  request.sampling.min_tokens = 4;
  auto out = make_output(request);
  for (char c : std::string("abab"))
    out.push(c, 0, std::nullopt);
  CHECK_FALSE(out.ended());
  CHECK(out.text() == "abab");
  out.push('x', 0, std::nullopt);
  out.push('a', 0, std::nullopt);
  out.push('b', 0, std::nullopt);
  CHECK(out.ended() == finish_reason::stop_sequence);
  CHECK(out.text() == "ababx");
  auto across = make_output(request);
  for (char c : std::string("xyzab"))
    across.push(c, 0, std::nullopt);
  CHECK(across.ended() == finish_reason::stop_sequence);
  CHECK(across.text() == "xyz");
}

TEST_CASE("counts beyond their bounds are refused by field") {
  auto refused = [](const char* field, auto change) {
    generation_request request;
    change(request);
    auto checked = check_counts(request);
    REQUIRE_FALSE(checked);
    CHECK(checked.error().code == errc::invalid);
    CHECK(checked.error().param == field);
    CHECK_THAT(checked.error().text, Catch::Contains(field));
  };
  refused("n", [](auto& r) { r.choices = 129; });
  refused("best_of", [](auto& r) { r.best_of = 129; });
  refused("best_of", [](auto& r) { r.choices = 3, r.best_of = 2; });
  refused("top_logprobs", [](auto& r) { r.top_logprobs = 21; });
  refused("prompt_logprobs", [](auto& r) { r.prompt_logprobs = 21; });
  generation_request good;
  good.choices = good.best_of.emplace(128);
  good.top_logprobs = 20;
  good.prompt_logprobs = 20;
  CHECK(check_counts(good));
  CHECK(check_min_tokens(5, 5));
  CHECK(check_min_tokens(6, 5).error().param == "min_tokens");
}

TEST_CASE("a request with counts beyond their bounds is refused at the door") {
  fake_world world;
  auto request = fake_world::ask("x");
  request.choices = 4'000'000'000u;
  auto sink = world.start(std::move(request)).first;
  REQUIRE(sink->why());
  CHECK(sink->why()->code == errc::invalid);
  CHECK(world.at_rest());
}

TEST_CASE("the best are those of the highest mean, the first one among equals, numbered anew") {
  best_choices best(4, 3);
  const std::vector<std::vector<float>> logprobs{{-1, -3}, {-1}, {-0.5f, -0.5f, -2}, {-1, -1}};
  for (std::uint32_t i = 0; i < 4; ++i) {
    for (auto logprob : logprobs[i]) {
      generated_token token;
      token.logprob = logprob;
      best.add(i, token);
    }
    best.finish({.choice = i, .reason = finish_reason::length, .text = {}, .seed = i});
  }
  auto answered = best.take();
  REQUIRE(answered.size() == 3);
  // The means are -2, -1, -1, -1.
  CHECK(answered[0].end.seed == 1);
  CHECK(answered[1].end.seed == 2);
  CHECK(answered[2].end.seed == 3);
  for (std::uint32_t i = 0; i < 3; ++i)
    CHECK(answered[i].end.choice == i);
  CHECK(answered[1].tokens.size() == 3);
}

TEST_CASE("a watermark goes with the rules of the sequences, and alone makes some") {
  stage s;
  auto request = ask("hey");
  request.mark = watermark{0.25, 3.0f};
  s.start(request);
  REQUIRE(s.submitted.size() == 1);
  REQUIRE(s.submitted[0]->sampling.rules);
  CHECK(s.submitted[0]->sampling.rules->mark == watermark{0.25, 3.0f});
  stage plain;
  plain.start(ask("hey"));
  REQUIRE(plain.submitted.size() == 1);
  CHECK_FALSE(plain.submitted[0]->sampling.rules);
}

TEST_CASE("what a step told of a prompt travels with the tokens of its request") {
  running_requests requests;
  submission s;
  s.first = 7;
  s.choices = 2;
  s.prompts = {{{'a'}, 4}, {{'b', 'c'}, 5}};
  s.sampling.seed = 30;
  s.prompt_logprobs = 1;
  s.top_logprobs = 2;
  requests.add(s);
  CHECK(running_requests::make_sequence(s, 0).prompt_logprobs == 1u);
  CHECK_FALSE(running_requests::make_sequence(s, 1).prompt_logprobs);
  CHECK(running_requests::make_sequence(s, 1).top_logprobs == 2);
  // Each prompt begins anew: its own ids and length, its first choice told of, the same seeds.
  auto third = running_requests::make_sequence(s, 2);
  CHECK((third.id == 9 && third.prompt == std::vector<token_id>{'b', 'c'} && third.max_new_tokens == 5));
  CHECK((third.prompt_logprobs == 1u && third.sampling.seed == 30));
  CHECK(running_requests::make_sequence(s, 3).sampling.seed == 31);
  plan_outcome outcome;
  outcome.scored = {{7, 'x', -3.f, 4, {{'y', -1.f}}}, {99, 'z', -1.f}};
  auto news = requests.deliver(outcome, time_point());
  REQUIRE(news.chunks.size() == 1);
  CHECK(news.chunks[0].second->events.empty());
  REQUIRE(news.chunks[0].second->scored.size() == 1);
  CHECK(news.chunks[0].second->scored[0].rank == 4);
  outcome.tokens = {{8, 'b', -2.f, 3, {{'c', -1.f}}}};
  news = requests.deliver(outcome, time_point());
  REQUIRE(news.chunks.size() == 1);
  CHECK(news.chunks[0].second->events.at(0).rank == 3);
  CHECK(news.chunks[0].second->events.at(0).top.at(0).token == 'c');
  CHECK(news.chunks[0].second->scored.size() == 1);
}

TEST_CASE("nothing is shown before all of the prompt was told, whoever is first with a token") {
  stage s;
  auto request = ask("hey", 2);
  request.prompt_logprobs = 1;
  auto session = s.start(request);
  REQUIRE(s.submitted.size() == 1);
  CHECK(s.submitted[0]->prompt_logprobs == 1u);
  s.give(session, {{1, 'q', -1.f, std::nullopt}});
  s.give(session, {}, {told('e', -2.f, 7, {{0xC3, -0.5f}})});
  s.give(session, {{1, 'r', -1.f, finish_reason::length}});
  CHECK_FALSE(s.sink->facts());
  CHECK(s.sink->tokens() == 0);
  s.give(session, {{0, 'a', -1.f, std::nullopt}}, {told('y', -4.f, 2, {{fake_tokenizer::eos_id, -0.1f}})});
  REQUIRE(s.sink->facts());
  auto prompt = s.sink->facts()->prompts.at(0);
  REQUIRE(prompt.size() == 3);
  CHECK(prompt[0].rank == 0);
  CHECK(prompt[0].top.empty());
  CHECK(prompt[1].logprob == -2.f);
  CHECK(prompt[1].rank == 7);
  CHECK(prompt[1].text == "e");
  CHECK(prompt[1].bytes == "e");
  CHECK(prompt[1].top == std::vector<token_alternative>{{0xC3, "\uFFFD", "\xC3", -0.5f, false}});
  CHECK(prompt[2].top ==
        std::vector<token_alternative>{{fake_tokenizer::eos_id, "</s>", "</s>", -0.1f, true}});
  CHECK(s.sink->at(1).end->text == "qr");
  CHECK(s.sink->at(0).text == "a");
  s.give(session, {{0, 'b', -1.f, finish_reason::length}});
  CHECK(s.sink->is_done());
  CHECK(s.sink->misorders() == 0);
}

TEST_CASE("the best of several are shown when all have ended, best first, with their own seeds") {
  stage s;
  auto request = ask("x", 2);
  request.best_of = 3;
  request.sampling.seed = 40;
  request.top_logprobs = 1;
  auto session = s.start(request);
  REQUIRE(s.submitted.size() == 1);
  CHECK(s.submitted[0]->choices == 3);
  s.give(session, {{0, 'a', -3.f, std::nullopt}, {1, 'b', -2.f, std::nullopt}, {2, 'c', -1.f, std::nullopt}});
  CHECK(s.sink->facts());
  CHECK(s.sink->tokens() == 0);
  s.give(session, {{0, 'A', -0.f, finish_reason::length, 1, {{'A', -0.f}}}});
  s.give(session, {{1, 'B', -2.f, finish_reason::length}});
  CHECK(s.sink->tokens() == 0);
  s.give(session, {{2, fake_tokenizer::eos_id, -1.f, finish_reason::eos_token}});
  REQUIRE(s.sink->is_done());
  CHECK(s.sink->misorders() == 0);
  CHECK(s.sink->at(0).end->text == "c");
  CHECK(s.sink->at(0).end->seed == 42);
  CHECK(s.sink->at(0).end->reason == finish_reason::eos_token);
  CHECK(s.sink->at(1).end->text == "aA");
  CHECK(s.sink->at(1).end->seed == 40);
  CHECK(s.sink->at(1).tokens.at(1).top.at(0).text == "A");
  CHECK_FALSE(s.sink->at(2).end);
  REQUIRE(s.reports.size() == 1);
  CHECK(s.reports[0]->generated_tokens == 6);
}

TEST_CASE("a request of the best that is cancelled drops every sequence") {
  stage s;
  auto request = ask("x", 1);
  request.best_of = 3;
  auto session = s.start(request);
  s.give(session, {{1, 'b', -2.f, finish_reason::length}});
  caf::anon_send(session, atom::cancel::value);
  s.world.run();
  CHECK(s.cancelled == std::vector<sequence_id>{10, 12});
  CHECK(s.sink->why()->code == errc::cancelled);
  CHECK(s.sink->tokens() == 0);
}

TEST_CASE("rules are made once for a request and reach all its sequences; wrong ones end it before any") {
  stage s;
  auto request = ask("x", 2);
  request.stop_token_ids = {'q'};
  request.logit_bias = {{'z', 5.0f}};
  request.sampling.min_tokens = 3;
  s.start(request);
  REQUIRE(s.submitted.size() == 1);
  auto rules = s.submitted[0]->sampling.rules;
  REQUIRE(rules);
  CHECK(rules->late == std::vector<token_id>{'q', fake_tokenizer::eos_id});
  CHECK(&*running_requests::make_sequence(*s.submitted[0], 1).sampling.rules == &*rules);

  stage other;
  request = ask("x");
  request.allowed_token_ids = {{5, 300}};
  other.start(request);
  REQUIRE(other.sink->why());
  CHECK(other.sink->why()->param == "allowed_token_ids");
  CHECK(other.submitted.empty());

  stage third;
  request = ask("x");
  request.sampling.min_tokens = 21;
  third.start(request);
  REQUIRE(third.sink->why());
  CHECK(third.sink->why()->param == "min_tokens");
  CHECK(third.submitted.empty());
}

TEST_CASE("prompts are told whole beside others, in chunks and after preemptions, and tokens stay the same") {
  auto limits = fake_world::default_limits();
  limits.blocks = 24;
  fake_world world(
      {}, [](runtime_options& o) { o.max_batch_prefill_tokens = 5; }, limits);
  std::vector<std::shared_ptr<collecting_sink>> sinks;
  std::vector<std::string> prompts;
  for (int i = 0; i < 24; ++i) {
    prompts.push_back(numbered("a prompt that takes some chunks ", i));
    auto request = fake_world::ask(prompts.back(), {}, 30);
    request.ignore_eos = true;
    if (i % 3 != 0) request.prompt_logprobs = static_cast<std::uint32_t>(i % 4);
    if (i % 2 == 0) request.top_logprobs = 2;
    sinks.push_back(world.start(std::move(request)).first);
  }
  for (std::size_t i = 0; i < sinks.size(); ++i) {
    REQUIRE(sinks[i]->wait());
    INFO("request " << i);
    auto got = sinks[i]->at(0);
    CHECK(got.tokens.size() == 30);
    for (auto& token : got.tokens)
      CHECK(token.top.size() == (i % 2 == 0 ? 2 : 0));
    auto prompt = sinks[i]->facts()->prompts.at(0);
    if (i % 3 == 0) {
      CHECK(prompt.empty());
      continue;
    }
    REQUIRE(prompt.size() == prompts[i].size());
    CHECK(prompt[0].rank == 0);
    for (std::size_t t = 1; t < prompt.size(); ++t) {
      CHECK(prompt[t].text == prompts[i].substr(t, 1));
      CHECK(prompt[t].logprob == told_logprob(t));
      CHECK(prompt[t].rank == 2);
      CHECK(prompt[t].top.size() == i % 4);
    }
  }
  CHECK(world.engine->broken == 0);
  CHECK(world.status()->preemptions > 0);
  CHECK(world.at_rest());
}

TEST_CASE("a stop token of one request ends it alone, in a running server") {
  fake_world world;
  auto prompt = endless(20);
  auto whole = expect("", prompt, 20).text;
  auto stopping = fake_world::ask(prompt, {}, 20);
  stopping.stop_token_ids = {static_cast<token_id>(whole[6])};
  auto at = whole.find(whole[6]);
  auto first = world.start(std::move(stopping)).first;
  auto second = world.start(fake_world::ask(prompt, {}, 20)).first;
  REQUIRE((first->wait() && second->wait()));
  CHECK(first->at(0).text == whole.substr(0, at));
  CHECK(first->at(0).end->reason == finish_reason::stop_sequence);
  CHECK(std::get<token_id>(first->at(0).end->cause) == static_cast<token_id>(whole[6]));
  CHECK(first->at(0).end->generated_tokens == at + 1);
  CHECK(second->at(0).text == whole);
  CHECK(world.at_rest());
}
