#include "actors/hub.hpp"

#include <caf/actor_system.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <caf/typed_response_promise.hpp>
#include <map>
#include <utility>

#include "actors/harden.hpp"
#include "actors/payloads.hpp"

namespace lorica {
namespace {

// The longest that a new fetch waits for its start while others stand still.
constexpr auto poll_limit = std::chrono::milliseconds(20);

class hub_state {
 public:
  static inline const char* name = "hub";
  explicit hub_state(hub_actor::pointer self) : self_(self) {}
  ~hub_state();
  hub_actor::behavior_type start(std::shared_ptr<std::unique_ptr<hub_client>> client);

 private:
  struct running {
    caf::typed_response_promise<fetch_reply> answer;
    std::shared_ptr<hub_progress> progress;
    fetch_job_ptr job;
  };

  caf::result<fetch_reply> fetch(const fetch_job_ptr& job);
  void step();
  void go_on();

  hub_actor::pointer self_;
  std::unique_ptr<hub_client> client_;
  std::map<std::uint64_t, running> running_;
  bool step_sent_ = false;
};
static_assert(!std::is_aggregate_v<hub_state>);

fetch_reply make_reply(result<fetched> r) {
  return std::make_shared<const result<fetched>>(std::move(r));
}

hub_state::~hub_state() {
  for (auto& [number, r] : running_)
    r.answer.deliver(make_reply(fail(errc::unavailable, "The server is shutting down")));
}

hub_actor::behavior_type hub_state::start(std::shared_ptr<std::unique_ptr<hub_client>> client) {
  harden(self_);
  client_ = std::move(*client);
  return {[this](atom::fetch, const fetch_job_ptr& job) { return fetch(job); },
          [this](atom::step) { step(); }};
}

caf::result<fetch_reply> hub_state::fetch(const fetch_job_ptr& job) {
  auto progress = std::make_shared<hub_progress>();
  if (job->progress) job->progress->enter(load_progress::stage::downloading);
  auto number = client_->start({{job->id, job->revision}, false, progress, job->stop});
  if (!number) return make_reply(std::move(number).error());
  log_info("hub: fetching {} at {}", job->id, job->revision);
  auto& r = running_[*number];
  r = {self_->make_response_promise<fetch_reply>(), std::move(progress), job};
  go_on();
  return r.answer;
}

/// Messages that arrived meanwhile come before the next step.
void hub_state::go_on() {
  if (client_->idle() || std::exchange(step_sent_, true)) return;
  self_->send(self_, atom::step::value);
}

void hub_state::step() {
  step_sent_ = false;
  auto ended = client_->run(poll_limit);
  for (auto& [number, r] : running_) {
    if (!r.job->progress) continue;
    r.job->progress->bytes = r.progress->bytes.load();
    r.job->progress->total = r.progress->total_bytes.load();
  }
  for (auto& e : ended) {
    auto r = running_.extract(e.number);
    if (r.empty()) continue;
    auto& job = *r.mapped().job;
    if (e.outcome)
      log_info("hub: {} at {} is commit {}", job.id, job.revision, e.outcome->commit);
    else
      log_warn("hub: {} at {}: {} ({})", job.id, job.revision, e.outcome.error().text,
               e.outcome.error().reason);
    r.mapped().answer.deliver(
        make_reply(e.outcome ? result<fetched>(fetched{e.outcome->commit}) : e.outcome.error()));
  }
  go_on();
}

hub_actor::behavior_type hub(hub_actor::stateful_pointer<hub_state> self,
                             std::shared_ptr<std::unique_ptr<hub_client>> client) {
  return self->state.start(std::move(client));
}

}  // namespace

hub_actor spawn_hub(caf::actor_system& system, std::unique_ptr<hub_client> client, placement where) {
  auto box = std::make_shared<std::unique_ptr<hub_client>>(std::move(client));
  if (where == placement::shared_threads) return system.spawn(hub, std::move(box));
  return system.spawn<caf::detached>(hub, std::move(box));
}

}  // namespace lorica
