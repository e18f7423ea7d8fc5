#include <caf/send.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <caf/typed_response_promise.hpp>

#include "actors/payloads.hpp"
#include "actors/session.hpp"
#include "tests/actors/collecting_sink.hpp"
#include "tests/actors/fake_adapters.hpp"
#include "tests/actors/fake_tokenizer.hpp"
#include "tests/actors/virtual_system.hpp"
#include "tests/catch.hpp"

using namespace lorica;
using namespace lorica::test;
using namespace std::chrono_literals;

namespace {

/// A session whose partners only write down what they hear.
struct stage {
  std::vector<submission_ptr> submitted;
  std::vector<sequence_id> cancelled, paused, resumed;
  std::vector<request_facts_ptr> reports;
  std::vector<caf::typed_response_promise<resolve_reply>> unanswered;
  std::vector<caf::typed_response_promise<encode_reply>> untokenised;
  bool tokenizer_answers = true;

  virtual_system world;
  metrics counters;
  std::shared_ptr<session_roster> roster = std::make_shared<session_roster>();
  std::shared_ptr<collecting_sink> sink = std::make_shared<collecting_sink>();
  adapters_actor adapters = world.system().spawn(
      [](adapters_actor::pointer self, stage* s) {
        return fake_adapters(
            [s, self](atom::resolve, const std::string&) -> caf::result<resolve_reply> {
              return s->unanswered.emplace_back(self->make_response_promise<resolve_reply>());
            },
            [](atom::acquire, const version_reference_ptr&) -> lease_reply { return nullptr; });
      },
      this);
  scheduler_actor scheduler = world.system().spawn(
      [](scheduler_actor::pointer, stage* s) {
        return scheduler_actor::behavior_type{
            [s](atom::submit, const submission_ptr& request) { s->submitted.push_back(request); },
            [s](atom::cancel, sequence_id id) { s->cancelled.push_back(id); },
            [s](atom::pause, sequence_id id) { s->paused.push_back(id); },
            [s](atom::resume, sequence_id id) { s->resumed.push_back(id); },
            [](atom::drain, const drain_order_ptr&) {},
            [](atom::step) {}};
      },
      this);
  telemetry_actor telemetry = world.system().spawn(
      [](telemetry_actor::pointer, stage* s) {
        return telemetry_actor::behavior_type{
            [](atom::publish, const scheduler_facts_ptr&) {}, [](atom::publish, const adapters_facts_ptr&) {},
            [s](atom::finish, const request_facts_ptr& facts) { s->reports.push_back(facts); }};
      },
      this);
  tokenizer_actor silent = world.system().spawn(
      [](tokenizer_actor::pointer self, stage* s) {
        return tokenizer_actor::behavior_type{
            [s, self](atom::encode, const encode_job_ptr&) -> caf::result<encode_reply> {
              return s->untokenised.emplace_back(self->make_response_promise<encode_reply>());
            },
            [](atom::spans, const span_job_ptr&) {}};
      },
      this);

  ~stage() {
    roster->end_all(std::make_shared<const error>(fail(errc::incomplete, "the test is over")));
    world.run();
    submitted.clear();
    for (auto& p : unanswered)
      p.deliver(resolve_reply());
    for (auto& p : untokenised)
      p.deliver(encode_reply());
    unanswered.clear();
    untokenised.clear();
    world.end({adapters, scheduler, telemetry, silent});
  }

  session_actor start(generation_request request, std::chrono::milliseconds max_duration = 0ms) {
    auto vocabulary = std::make_shared<fake_tokenizer>();
    auto worker =
        tokenizer_answers ? spawn_tokenizer(world.system(), vocabulary, placement::shared_threads) : silent;
    auto& gaps = counters.make_histogram("gaps", "", {1});
    auto shared = std::make_shared<const session_world>(
        session_world{"base", 50, 100, max_duration, 60s, 1000, vocabulary, tokenizer_pool({worker}),
                      adapters, scheduler, telemetry, world.clock, gaps});
    auto place = roster->enter();
    auto id = place->id();
    auto session = spawn_session(world.system(), shared, {std::move(request), sink, 10, place});
    roster->attach(id, session);
    world.run();
    return session;
  }

  void give(const session_actor& session, std::vector<token_event> events) {
    auto admitted = world.clock.now() - 1s;
    token_chunk chunk{std::move(events), admitted, world.clock.now()};
    caf::anon_send(session, atom::tokens::value, token_chunk_ptr(std::make_shared<const token_chunk>(chunk)));
    world.run();
  }
};

generation_request ask(std::string prompt, std::uint32_t choices = 1) {
  generation_request out;
  out.prompt = std::move(prompt);
  out.choices = choices;
  out.max_new_tokens = 20;
  return out;
}

}  // namespace

TEST_CASE("a session gives up on adapters that do not answer") {
  stage s;
  auto request = ask("x");
  request.adapters = {{"sql"}};
  s.start(request);
  s.world.pass(61s);  // as long as a load may take
  CHECK_FALSE(s.sink->why().has_value());
  s.world.pass(10s);
  REQUIRE(s.sink->why().has_value());
  CHECK(s.sink->why()->code == errc::unavailable);
  CHECK(s.submitted.empty());
  CHECK(s.roster->size() == 0);
}

TEST_CASE("a session gives up on tokenizers that do not answer") {
  stage s;
  s.tokenizer_answers = false;
  s.start(ask("x"));
  s.world.pass(61s);
  REQUIRE(s.sink->why().has_value());
  CHECK(s.sink->why()->code == errc::unavailable);
  CHECK(s.roster->size() == 0);
}

TEST_CASE("the overall deadline ends a request and all its sequences") {
  stage s;
  s.start(ask("x", 2), 5000ms);
  REQUIRE(s.submitted.size() == 1);
  s.world.pass(4s);
  CHECK_FALSE(s.sink->why().has_value());
  s.world.pass(2s);
  REQUIRE(s.sink->why().has_value());
  CHECK(s.sink->why()->code == errc::timeout);
  CHECK(s.cancelled == std::vector<sequence_id>{10, 11});
}

TEST_CASE("a session that is killed still gives its one outcome and drops its sequences") {
  stage s;
  auto session = s.start(ask("x"));
  s.give(session, {{0, 'a', -1.f, std::nullopt}});
  caf::anon_send_exit(session, caf::exit_reason::kill);
  s.world.run();
  REQUIRE(s.sink->why().has_value());
  CHECK(s.sink->why()->code == errc::incomplete);
  CHECK(s.cancelled == std::vector<sequence_id>{10});
  CHECK(s.roster->size() == 0);
  CHECK(s.sink->misorders() == 0);
}

TEST_CASE("tokens reach the sink in order, with the end of each choice and the times") {
  stage s;
  auto session = s.start(ask("hey", 2));
  REQUIRE(s.submitted.size() == 1);
  CHECK(s.submitted[0]->prompt == std::vector<token_id>{'h', 'e', 'y'});
  CHECK_FALSE(s.sink->facts().has_value());
  s.world.clock.advance(3s);
  s.give(session, {{0, 'a', -1.f, std::nullopt}, {1, 'b', -2.f, std::nullopt}});
  CHECK(s.sink->facts()->prompt_tokens == 3);
  s.world.clock.advance(2s);
  s.give(session, {{0, fake_tokenizer::eos_id, -1.f, finish_reason::eos_token}});
  CHECK(s.sink->at(0).end->reason == finish_reason::eos_token);
  CHECK_FALSE(s.sink->is_done());
  s.give(session, {{1, 'c', -2.f, finish_reason::length}});
  REQUIRE(s.sink->is_done());
  CHECK(s.sink->at(1).end->text == "bc");
  CHECK(s.sink->timings()->queue == 2s);
  CHECK(s.sink->timings()->inference == 3s);
  CHECK(s.sink->misorders() == 0);
  CHECK(s.cancelled.empty());
  REQUIRE(s.reports.size() == 1);
  CHECK(s.reports[0]->generated_tokens == 4);
  CHECK(s.reports[0]->first_token == 3s);
}

TEST_CASE("an end token shows its text beside the generated text, not in it") {
  stage s;
  auto session = s.start(ask("x"));
  s.give(session, {{0, 'a', -1.f, std::nullopt}});
  s.give(session, {{0, fake_tokenizer::eos_id, -1.f, finish_reason::eos_token}});
  auto got = s.sink->at(0);
  REQUIRE(got.tokens.size() == 2);
  CHECK(got.tokens[1].special);
  CHECK(got.tokens[1].text.empty());
  CHECK(got.tokens[1].hidden_text == "</s>");
  CHECK(got.end->text == "a");
  CHECK(got.end->generated_tokens == 2);
}

TEST_CASE("a stop string ends one choice at the scheduler and later tokens of it are dropped") {
  stage s;
  auto request = ask("x", 2);
  request.stop = {"ab"};
  auto session = s.start(request);
  s.give(session, {{0, 'a', -1.f, std::nullopt}, {1, 'x', -1.f, std::nullopt}});
  s.give(session, {{0, 'b', -1.f, std::nullopt}, {1, 'y', -1.f, std::nullopt}});
  CHECK(s.cancelled == std::vector<sequence_id>{10});
  s.give(session, {{0, 'c', -1.f, std::nullopt}, {1, 'z', -1.f, finish_reason::length}});
  REQUIRE(s.sink->is_done());
  CHECK(s.sink->at(0).end->text.empty());
  CHECK(s.sink->at(0).end->generated_tokens == 2);
  CHECK(s.sink->at(1).end->text == "xyz");
  CHECK(s.cancelled.size() == 1);
}

TEST_CASE("a full sink pauses the choices that still run, once, until it has drained") {
  stage s;
  auto session = s.start(ask("x", 2));
  s.give(session, {{0, 'a', -1.f, finish_reason::length}, {1, 'b', -1.f, std::nullopt}});
  CHECK(s.paused.empty());
  s.sink->full = true;
  s.give(session, {{1, 'c', -1.f, std::nullopt}});
  s.give(session, {{1, 'd', -1.f, std::nullopt}});
  CHECK(s.paused == std::vector<sequence_id>{11});
  caf::anon_send(session, atom::resume::value);
  s.world.run();
  CHECK(s.resumed.empty());
  s.sink->full = false;
  caf::anon_send(session, atom::resume::value);
  caf::anon_send(session, atom::resume::value);
  s.world.run();
  CHECK(s.resumed == std::vector<sequence_id>{11});
}

TEST_CASE("an error from the scheduler ends the request once") {
  stage s;
  auto session = s.start(ask("x", 2));
  auto why = std::make_shared<const error>(fail(errc::generation_failed, "broken"));
  caf::anon_send(session, atom::failed::value, error_ptr(why));
  caf::anon_send(session, atom::failed::value, error_ptr(why));
  caf::anon_send(session, atom::cancel::value);
  s.world.run();
  CHECK(s.sink->why()->text == "broken");
  CHECK(s.sink->misorders() == 0);
  CHECK(s.cancelled == std::vector<sequence_id>{10, 11});
}

TEST_CASE("a roster that ends everybody reaches a session that is just being attached") {
  stage s;
  auto place = s.roster->enter();
  auto late = s.roster->enter();
  s.roster->end_all(std::make_shared<const error>(fail(errc::incomplete, "over")));
  CHECK(s.roster->enter() == nullptr);
  place.reset();
  CHECK_FALSE(s.roster->wait_empty(0ms));
  late.reset();
  CHECK(s.roster->wait_empty(0ms));
}
