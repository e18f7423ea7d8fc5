#include "actors/telemetry.hpp"

#include <caf/actor_system.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <utility>

#include "actors/harden.hpp"
#include "actors/request_series.hpp"
#include "actors/step_series.hpp"
#include "actors/unknown_adapter.hpp"
#include "core/log.hpp"

namespace lorica {
namespace {

class telemetry_state {
 public:
  static inline const char* name = "telemetry";
  explicit telemetry_state(telemetry_actor::pointer self) : self_(self) {}
  telemetry_actor::behavior_type start(metrics& counters);

 private:
  void finish(const request_facts& facts);

  telemetry_actor::pointer self_;
  std::unique_ptr<step_series> steps_;
  std::unique_ptr<request_series> requests_;
  fallback_notes fallbacks_;
};
static_assert(!std::is_aggregate_v<telemetry_state>);

telemetry_actor::behavior_type telemetry_state::start(metrics& counters) {
  harden(self_);
  steps_ = std::make_unique<step_series>(counters);
  requests_ = std::make_unique<request_series>(counters);
  return {[this](atom::publish, const scheduler_facts_ptr& facts) { steps_->count(*facts); },
          [this](atom::publish, const adapters_facts_ptr& facts) { steps_->count(*facts); },
          [this](atom::finish, const request_facts_ptr& facts) { finish(*facts); }};
}

void telemetry_state::finish(const request_facts& facts) {
  requests_->count(facts);
  if (!facts.fallback) return;
  if (auto line = fallbacks_.note(facts.fallback->asked, facts.fallback->at)) log_warn("{}", *line);
}

telemetry_actor::behavior_type telemetry(telemetry_actor::stateful_pointer<telemetry_state> self,
                                         metrics* counters) {
  return self->state.start(*counters);
}

}  // namespace

telemetry_actor spawn_telemetry(caf::actor_system& system, metrics& counters) {
  return system.spawn(telemetry, &counters);
}

}  // namespace lorica
