#include "tests/actors/session_stage.hpp"

using namespace lorica;
using namespace lorica::test;
using namespace std::chrono_literals;

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
  CHECK(s.submitted[0]->prompts.at(0).ids == std::vector<token_id>{'h', 'e', 'y'});
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
  CHECK(s.sink->timings()->first_token == 3s);
  CHECK_FALSE(s.sink->at(0).end->sampled);
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
