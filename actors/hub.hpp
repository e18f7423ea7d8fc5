#pragma once

#include <caf/fwd.hpp>
#include <memory>

#include "actors/placement.hpp"
#include "actors/protocol.hpp"
#include "adapters/hub_client.hpp"

namespace lorica {

/// Downloads from the Hub, on a thread of its own: many at once, none waits for another.
hub_actor spawn_hub(caf::actor_system& system, std::unique_ptr<hub_client> client, placement where);

}  // namespace lorica
