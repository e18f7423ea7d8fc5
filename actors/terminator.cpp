#include "actors/terminator.hpp"

#include <caf/actor_system.hpp>
#include <caf/exit_reason.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>
#include <caf/system_messages.hpp>

#include "core/log.hpp"

namespace lorica {
namespace {

/// Waits for the down message of one actor.
bool wait_down(caf::scoped_actor& self, std::chrono::milliseconds limit) {
  bool down = false;
  self->receive([&](const caf::down_msg&) { down = true; }, caf::after(limit) >> [] {});
  return down;
}

bool end_one(caf::scoped_actor& self, const caf::strong_actor_ptr& actor, std::chrono::milliseconds grace) {
  self->monitor(actor);
  self->send_exit(actor, caf::exit_reason::user_shutdown);
  if (wait_down(self, grace)) return true;
  log_warn("actor {} did not end in time and is killed", actor->id());
  self->send_exit(actor, caf::exit_reason::kill);
  if (wait_down(self, grace)) return true;
  log_error("actor {} does not end", actor->id());
  self->demonitor(caf::actor_cast<caf::actor_addr>(actor));
  return false;
}

}  // namespace

bool terminate(caf::actor_system& system, const std::vector<caf::strong_actor_ptr>& actors,
               std::chrono::milliseconds grace) {
  caf::scoped_actor self(system);
  bool all = true;
  for (auto& actor : actors)
    all = end_one(self, actor, grace) && all;
  return all;
}

}  // namespace lorica
