#pragma once

#include <caf/fwd.hpp>

#include "actors/placement.hpp"
#include "actors/protocol.hpp"
#include "core/clock.hpp"
#include "engine/executor.hpp"

namespace lorica {

/// The only caller of `engine`'s execute, attach and detach; `engine` and `clock`, by which steps are
/// measured, outlive the actor system. Detached adapters go on to `loader`.
executor_actor spawn_executor(caf::actor_system& system, executor& engine, loader_actor loader,
                              const clock_source& clock, placement where);

}  // namespace lorica
