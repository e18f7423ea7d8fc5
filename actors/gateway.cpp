#include "actors/gateway.hpp"

#include <algorithm>
#include <caf/actor_addr.hpp>
#include <caf/actor_cast.hpp>
#include <caf/actor_system.hpp>
#include <caf/send.hpp>
#include <utility>

#include "actors/payloads.hpp"
#include "actors/prompt_limits.hpp"

namespace lorica {
namespace {

/// Knows its session without keeping it alive: handles may outlive the actors.
class session_handle final : public generation_handle {
 public:
  explicit session_handle(const session_actor& session) : session_(session.address()) {}
  void cancel() noexcept override { post(atom::cancel::value); }
  void resume() noexcept override { post(atom::resume::value); }

 private:
  template <class Atom>
  void post(Atom what) noexcept {
    auto session = caf::actor_cast<session_actor>(session_);
    if (session) caf::anon_send(session, what);
  }

  caf::actor_addr session_;
};

/// Of a request that was refused at the door.
class no_session final : public generation_handle {
 public:
  void cancel() noexcept override {}
  void resume() noexcept override {}
};

}  // namespace

gateway::gateway(caf::actor_system& system, std::shared_ptr<const session_world> world,
                 std::shared_ptr<session_roster> roster)
    : system_(system), world_(std::move(world)), roster_(std::move(roster)) {}

std::shared_ptr<generation_handle> gateway::start(generation_request request,
                                                  std::shared_ptr<response_sink> sink) {
  auto place = roster_->enter();
  if (!place) {
    sink->failed(fail(errc::unavailable, "The server is shutting down"));
    return std::make_shared<no_session>();
  }
  request.choices = std::max(request.choices, 1u);
  if (auto good = check_counts(request); !good) {
    sink->failed(good.error());
    return std::make_shared<no_session>();
  }
  auto first = next_sequence_.fetch_add(sequences_of(request) * request.prompts.size());
  auto id = place->id();
  auto session =
      spawn_session(system_, world_, {std::move(request), std::move(sink), first, std::move(place)});
  roster_->attach(id, session);
  return std::make_shared<session_handle>(session);
}

void gateway::tokenize(std::string text, bool add_special_tokens, answer<std::vector<token_span>> done) {
  auto chosen = world_->tokenizers.pick(text.size());
  auto job = std::make_shared<span_job>(span_text{std::move(text), add_special_tokens}, std::move(done));
  job->ticket = std::move(chosen.ticket);
  caf::anon_send(chosen.worker, atom::spans::value, span_job_ptr(std::move(job)));
}

void gateway::tokenize_chat(conversation_ptr what, answer<tokenized_chat> done) {
  auto chosen = world_->tokenizers.pick(what->bytes);
  auto job = std::make_shared<chat_span_job>(std::move(what), std::move(done));
  job->ticket = std::move(chosen.ticket);
  caf::anon_send(chosen.worker, atom::spans::value, chat_span_job_ptr(std::move(job)));
}

}  // namespace lorica
