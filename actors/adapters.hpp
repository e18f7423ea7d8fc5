#pragma once

#include <caf/fwd.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>
#include <vector>

#include "actors/protocol.hpp"
#include "actors/runtime.hpp"
#include "actors/status_board.hpp"
#include "core/clock.hpp"

namespace lorica {

/// What `adapters` is given. `clock` outlives the actor system.
struct adapters_parts {
  std::vector<startup_adapter> startup;
  bool skip_bad = false;
  std::uint64_t budget_bytes = 0;
  std::int64_t wall_clock = 0;  ///< seconds since the epoch when the actor starts
  loader_actor loader;
  executor_actor executor;
  telemetry_actor telemetry;
  std::shared_ptr<status_board> board;
  const clock_source& clock;
  std::stop_token stop;  ///< ends loads
  /// Called once, from any thread: every start-up adapter is decided, or the first bad one that is not
  /// skipped.
  std::function<void(result<void>)> decided;
};

/// Starts the actor, which starts loading the start-up adapters.
adapters_actor spawn_adapters(caf::actor_system& system, adapters_parts parts);

}  // namespace lorica
