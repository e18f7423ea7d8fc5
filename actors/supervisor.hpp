#pragma once

#include <caf/fwd.hpp>
#include <functional>
#include <string>

#include "actors/protocol.hpp"

namespace lorica {

/// Watches the permanent actors. `died` is called once, from an actor thread, with the name of the first that
/// ends although nobody shut it down; the parts hold state for each other, so none is replaced alone.
supervisor_actor spawn_supervisor(caf::actor_system& system,
                                  std::function<void(const std::string& name)> died);

}  // namespace lorica
