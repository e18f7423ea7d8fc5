#pragma once

#include <caf/actor_control_block.hpp>
#include <caf/fwd.hpp>
#include <chrono>
#include <vector>

namespace lorica {

/// Ends `actors` one after the other and waits for each: asks first, kills after `grace`, gives up loudly
/// after another `grace`. Blocks; not to be called from an actor. True when all are gone.
bool terminate(caf::actor_system& system, const std::vector<caf::strong_actor_ptr>& actors,
               std::chrono::milliseconds grace);

}  // namespace lorica
