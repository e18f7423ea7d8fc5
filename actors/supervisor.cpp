#include "actors/supervisor.hpp"

#include <caf/actor_system.hpp>
#include <caf/exit_reason.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <map>
#include <utility>

#include "actors/harden.hpp"
#include "actors/payloads.hpp"

namespace lorica {
namespace {

class supervisor_state {
 public:
  static inline const char* name = "supervisor";
  explicit supervisor_state(supervisor_actor::pointer self) : self_(self) {}
  supervisor_actor::behavior_type start(std::function<void(const std::string&)> died);

 private:
  void watch(const caf::strong_actor_ptr& actor, const std::string& name);
  void mourn(const caf::down_msg& down);

  supervisor_actor::pointer self_;
  std::function<void(const std::string&)> died_;
  std::map<caf::actor_id, std::string> names_;
};
static_assert(!std::is_aggregate_v<supervisor_state>);

supervisor_actor::behavior_type supervisor_state::start(std::function<void(const std::string&)> died) {
  harden(self_);
  died_ = std::move(died);
  self_->set_down_handler([this](caf::down_msg& down) { mourn(down); });
  return {[this](atom::watch, const caf::strong_actor_ptr& actor, const std::string& name) {
    watch(actor, name);
  }};
}

void supervisor_state::watch(const caf::strong_actor_ptr& actor, const std::string& name) {
  names_[actor->id()] = name;
  self_->monitor(actor);
}

void supervisor_state::mourn(const caf::down_msg& down) {
  auto found = names_.find(down.source.id());
  if (found == names_.end() || down.reason == caf::exit_reason::user_shutdown) return;
  log_error("{} ended unexpectedly", found->second);
  auto died = std::exchange(died_, nullptr);
  if (died) died(found->second);
}

supervisor_actor::behavior_type supervisor(supervisor_actor::stateful_pointer<supervisor_state> self,
                                           std::function<void(const std::string&)> died) {
  return self->state.start(std::move(died));
}

}  // namespace

supervisor_actor spawn_supervisor(caf::actor_system& system, std::function<void(const std::string&)> died) {
  return system.spawn(supervisor, std::move(died));
}

}  // namespace lorica
