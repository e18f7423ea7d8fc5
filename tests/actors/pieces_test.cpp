#include <caf/actor_cast.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/send.hpp>

#include "actors/choice_output.hpp"
#include "actors/payloads.hpp"
#include "actors/prompt_limits.hpp"
#include "actors/request_series.hpp"
#include "actors/running_requests.hpp"
#include "actors/startup_decisions.hpp"
#include "actors/supervisor.hpp"
#include "tests/actors/fake_tokenizer.hpp"
#include "tests/actors/virtual_system.hpp"
#include "tests/catch.hpp"

using namespace lorica;
using namespace lorica::test;

namespace {

choice_output make_output(std::vector<std::string> stop = {}, bool include_stop = false) {
  generation_request request;
  request.stop = std::move(stop);
  request.include_stop = include_stop;
  return choice_output(std::make_shared<fake_tokenizer>(), request, {});
}

// Each letter carries a space that the first one of a text loses.
class spaced_tokenizer final : public fake_tokenizer {
 public:
  std::string_view bytes(token_id id) const override {
    return id == 'a' ? std::string_view(" a") : fake_tokenizer::bytes(id);
  }
  std::string_view first_bytes(token_id id) const override { return fake_tokenizer::bytes(id); }
};

}  // namespace

TEST_CASE("held-back text comes with a later token and at the latest with the last") {
  auto out = make_output({"abc"});
  CHECK(out.push('x', 0, std::nullopt).text == "x");
  CHECK(out.push('a', 0, std::nullopt).text.empty());
  CHECK(out.push('d', 0, std::nullopt).text == "ad");
  CHECK(out.push('a', 0, std::nullopt).text.empty());
  CHECK(out.push('b', 0, finish_reason::length).text == "ab");
  CHECK(out.text() == "xadab");
  CHECK(out.ended() == finish_reason::length);
  CHECK(out.tokens() == 5);
}

TEST_CASE("a completion keeps the space of its first token, unless nothing visible stands before it") {
  auto first = [](std::vector<token_id> prompt) {
    choice_output out(std::make_shared<spaced_tokenizer>(), {}, prompt);
    return out.push('a', 0, std::nullopt).text;
  };
  CHECK(first({'x'}) == " a");
  CHECK(first({'x', fake_tokenizer::eos_id}) == " a");
  CHECK(first({fake_tokenizer::eos_id}) == "a");
  CHECK(first({}) == "a");
}

TEST_CASE("text held back for a stop string is flushed by an end token that shows nothing itself") {
  auto out = make_output({"abc"});
  out.push('a', 0, std::nullopt);
  auto last = out.push(fake_tokenizer::eos_id, 0, finish_reason::eos_token);
  CHECK(last.text == "a");
  CHECK(last.hidden_text == "</s>");
  CHECK(out.ended() == finish_reason::eos_token);
}

TEST_CASE("a stop string that completes with the last token wins over the length") {
  auto cut = make_output({"bc"});
  cut.push('a', 0, std::nullopt);
  cut.push('b', 0, std::nullopt);
  cut.push('c', 0, finish_reason::length);
  CHECK(cut.text() == "a");
  CHECK(cut.ended() == finish_reason::stop_sequence);
  auto kept = make_output({"bc"}, true);
  kept.push('a', 0, std::nullopt);
  kept.push('b', 0, std::nullopt);
  kept.push('c', 0, std::nullopt);
  CHECK(kept.text() == "abc");
  CHECK(kept.ended() == finish_reason::stop_sequence);
}

TEST_CASE("an unfinished character comes out as a replacement with the last token") {
  auto out = make_output();
  CHECK(out.push(0xC3, 0, std::nullopt).text.empty());
  CHECK(out.push(0xA9, 0, std::nullopt).text == "\u00e9");
  CHECK(out.push(0xC3, 0, finish_reason::length).text == "\uFFFD");
}

TEST_CASE("prompt limits give what fits or TGI's texts") {
  CHECK(*allowed_new_tokens(10, std::nullopt, 50, 60) == 50);
  CHECK(*allowed_new_tokens(10, 50, 50, 60) == 50);
  CHECK(*allowed_new_tokens(50, 10, 50, 60) == 10);
  CHECK(allowed_new_tokens(0, 1, 50, 60).error().text == "Input validation error: `inputs` cannot be empty");
  CHECK(allowed_new_tokens(51, 1, 50, 60).error().text ==
        "Input validation error: `inputs` must have less than 50 tokens. Given: 51");
  CHECK(allowed_new_tokens(10, 51, 50, 60).error().text ==
        "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 60. Given: 10 `inputs` tokens "
        "and "
        "51 `max_new_tokens`");
  CHECK(allowed_new_tokens(10, 0, 50, 60).error().code == errc::invalid);
  CHECK(allowed_new_tokens(60, std::nullopt, 60, 60).error().code == errc::invalid);
}

TEST_CASE("a step's tokens for one request travel as one chunk, ends on the last token") {
  running_requests requests;
  submission s;
  s.first = 7;
  s.choices = 2;
  s.prompts.resize(1);
  requests.add(s);
  auto began = time_point(std::chrono::seconds(5));
  requests.admitted(8, began);
  requests.admitted(7, began + std::chrono::seconds(1));
  plan_outcome outcome;
  outcome.tokens = {{7, 'a', -1.f}, {99, 'x', -1.f}, {8, 'b', -2.f}};
  outcome.ended = {{8, finish_reason::length}};
  auto news = requests.deliver(outcome, began + std::chrono::seconds(2));
  REQUIRE(news.chunks.size() == 1);
  auto& chunk = *news.chunks[0].second;
  CHECK(chunk.admitted == began);
  REQUIRE(chunk.events.size() == 2);
  CHECK_FALSE(chunk.events[0].end.has_value());
  CHECK(chunk.events[1].choice == 1);
  CHECK(chunk.events[1].end == finish_reason::length);
  CHECK(requests.known(7));
  CHECK_FALSE(requests.known(8));
}

TEST_CASE("a cancelled sequence tells nobody, a failed one its session; meanings leave with their requests") {
  running_requests requests;
  submission s;
  s.first = 1;
  s.choices = 2;
  s.prompts.resize(1);
  auto meaning = std::make_shared<version_reference>();
  meaning->version.digest[0] = 9;
  s.adapters = {{adapter_reference{"sql", meaning, "device", nullptr, nullptr}}};
  requests.add(s);
  CHECK(requests.meaning(meaning->version) == meaning);
  plan_outcome outcome;
  outcome.ended = {{1, fail(errc::cancelled, "")}, {2, fail(errc::generation_failed, "broken")}};
  auto news = requests.deliver(outcome, {});
  REQUIRE(news.errors.size() == 1);
  CHECK(news.errors[0].second->text == "broken");
  CHECK(requests.meaning(meaning->version) == nullptr);
}

TEST_CASE("series per adapter are bounded") {
  metrics counters;
  request_series series(counters);
  request_facts facts;
  for (std::size_t i = 0; i < request_series::most_named + 20; ++i) {
    facts.adapters = {"adapter" + std::string(1, static_cast<char>('a' + i % 26)) + std::to_string(i)};
    series.count(facts);
  }
  auto text = counters.text();
  std::size_t named = 0;
  for (auto at = text.find("lorica_requests_total{"); at != std::string::npos;
       at = text.find("lorica_requests_total{", at + 1))
    ++named;
  CHECK(named == request_series::most_named + 1);
  CHECK(text.find("lorica_requests_total{adapter=\"other\"} 20") != std::string::npos);
}

TEST_CASE("the start is told once: with the first refusal, or when all are decided") {
  std::vector<bool> told;
  auto tell = [&told](result<void> outcome) { told.push_back(outcome.has_value()); };
  startup_decisions none(0, false, tell);
  CHECK(told == std::vector<bool>{true});
  startup_decisions strict(3, false, tell);
  strict.decide("a", {});
  strict.decide("b", fail(errc::bad_adapter, "x"));
  strict.decide("c", fail(errc::bad_adapter, "y"));
  CHECK(told == std::vector<bool>{true, false});
  startup_decisions lenient(2, true, tell);
  lenient.decide("a", fail(errc::bad_adapter, "x"));
  CHECK(told.size() == 2);
  lenient.decide("b", {});
  CHECK(told == std::vector<bool>{true, false, true});
}

TEST_CASE("the supervisor tells of the first unexpected death and of no orderly end") {
  virtual_system world;
  std::vector<std::string> died;
  auto supervisor = spawn_supervisor(world.system(), [&](const std::string& name) { died.push_back(name); });
  auto spawn = [&] {
    return world.system().spawn([](caf::event_based_actor*, int) { return caf::behavior{[](int) {}}; }, 0);
  };
  auto orderly = spawn(), broken = spawn(), next = spawn();
  auto watch = [&](const caf::actor& a, const char* name) {
    caf::anon_send(supervisor, atom::watch::value, caf::actor_cast<caf::strong_actor_ptr>(a),
                   std::string(name));
  };
  watch(orderly, "orderly");
  watch(broken, "broken");
  watch(next, "next");
  world.run();
  caf::anon_send_exit(orderly, caf::exit_reason::user_shutdown);
  world.run();
  CHECK(died.empty());
  caf::anon_send_exit(broken, caf::exit_reason::kill);
  caf::anon_send_exit(next, caf::exit_reason::kill);
  world.run();
  CHECK(died == std::vector<std::string>{"broken"});
  caf::anon_send_exit(supervisor, caf::exit_reason::user_shutdown);
  world.run();
}
