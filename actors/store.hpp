#pragma once

#include <caf/fwd.hpp>
#include <memory>

#include "actors/placement.hpp"
#include "actors/protocol.hpp"
#include "adapters/catalogue_store.hpp"

namespace lorica {

/// Writes the catalogue down, on a thread of its own: every write waits for the disk.
store_actor spawn_store(caf::actor_system& system, std::unique_ptr<catalogue_store> books, placement where);

}  // namespace lorica
