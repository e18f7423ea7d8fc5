#pragma once

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

namespace lorica::test {

/// A session whose partners only write down what they hear.
struct stage {
  std::vector<submission_ptr> submitted;
  std::vector<sequence_id> cancelled, paused, resumed;
  std::vector<request_facts_ptr> reports;
  std::vector<caf::typed_response_promise<resolve_reply>> unanswered;
  std::vector<caf::typed_response_promise<encode_reply>> untokenised;
  bool tokenizer_answers = true;
  std::shared_ptr<const tokenizer> vocabulary = std::make_shared<fake_tokenizer>();
  std::shared_ptr<const chat_format> chat;

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
            [](atom::step) {},
            [](atom::rest, std::uint64_t) {}};
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
            [](atom::spans, const span_job_ptr&) {}, [](atom::spans, const chat_span_job_ptr&) {}};
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

  session_actor start(generation_request request, std::chrono::milliseconds max_duration = {}) {
    auto worker = tokenizer_answers
                      ? spawn_tokenizer(world.system(), vocabulary, chat, placement::shared_threads)
                      : silent;
    auto& gaps = counters.make_histogram("gaps", "", {1});
    auto shared = std::make_shared<const session_world>(session_world{"base",
                                                                      50,
                                                                      100,
                                                                      max_duration,
                                                                      std::chrono::seconds(60),
                                                                      1000,
                                                                      vocabulary,
                                                                      tokenizer_pool({worker}),
                                                                      adapters,
                                                                      scheduler,
                                                                      telemetry,
                                                                      world.clock,
                                                                      gaps,
                                                                      {fake_tokenizer::eos_id}});
    auto place = roster->enter();
    auto id = place->id();
    auto session = spawn_session(world.system(), shared, {std::move(request), sink, 10, place});
    roster->attach(id, session);
    world.run();
    return session;
  }

  void give(const session_actor& session, std::vector<token_event> events,
            std::vector<sequence_token> scored = {}) {
    auto admitted = world.clock.now() - std::chrono::seconds(1);
    token_chunk chunk{std::move(events), admitted, world.clock.now(), std::move(scored)};
    caf::anon_send(session, atom::tokens::value, token_chunk_ptr(std::make_shared<const token_chunk>(chunk)));
    world.run();
  }
};

inline generation_request ask(std::string prompt, std::uint32_t choices = 1) {
  generation_request out;
  out.prompts = {std::move(prompt)};
  out.choices = choices;
  out.max_new_tokens = 20;
  return out;
}

}  // namespace lorica::test
