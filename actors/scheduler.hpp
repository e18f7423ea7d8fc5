#pragma once

#include <caf/fwd.hpp>
#include <memory>

#include "actors/placement.hpp"
#include "actors/protocol.hpp"
#include "actors/status_board.hpp"
#include "core/clock.hpp"
#include "engine/planner.hpp"

namespace lorica {

/// What the scheduler is given; `clock` outlives the actor system.
struct scheduler_parts {
  planner_options options;
  adapters_actor adapters;
  executor_actor executor;
  telemetry_actor telemetry;
  std::shared_ptr<status_board> board;
  const clock_source& clock;
};

/// Drives a `planner`: one step in flight, planned after everything that arrived before it.
scheduler_actor spawn_scheduler(caf::actor_system& system, scheduler_parts parts, placement where);

}  // namespace lorica
