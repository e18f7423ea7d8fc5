#pragma once

#include <caf/fwd.hpp>
#include <memory>

#include "actors/placement.hpp"
#include "actors/protocol.hpp"
#include "actors/runtime.hpp"
#include "core/clock.hpp"
#include "engine/adapter_packer.hpp"

namespace lorica {

/// What reading and packing need; `packer` and `clock` outlive the actor system.
struct loader_parts {
  const adapter_packer& packer;
  const clock_source& clock;
  adapter_source read;
  std::function<result<root_index>()> scan;
};

/// Reads, checks and packs adapters, one after the other, at the lowest priority of the process where it has
/// a thread of its own.
loader_actor spawn_loader(caf::actor_system& system, loader_parts parts, placement where);

}  // namespace lorica
