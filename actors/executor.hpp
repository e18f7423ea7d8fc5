#pragma once

#include <caf/fwd.hpp>

#include "actors/placement.hpp"
#include "actors/protocol.hpp"
#include "engine/executor.hpp"

namespace lorica {

/// The only caller of `engine`'s execute, attach and detach; `engine` outlives the actor system. Detached
/// adapters go on to `loader`.
executor_actor spawn_executor(caf::actor_system& system, executor& engine, loader_actor loader,
                              placement where);

}  // namespace lorica
