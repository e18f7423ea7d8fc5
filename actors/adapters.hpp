#pragma once

#include <caf/fwd.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "actors/protocol.hpp"
#include "actors/runtime.hpp"
#include "actors/status_board.hpp"
#include "core/clock.hpp"

namespace lorica {

/// What `adapters` is given. `clock` outlives the actor system.
struct adapters_parts {
  std::vector<startup_adapter> startup = {};
  std::vector<catalogue_record> kept = {};  ///< the catalogue as of the last life of the process
  bool skip_bad = false;
  std::uint64_t budget_bytes = 0;
  std::uint64_t most_resident = 0;  ///< adapters in memory at once; 0: as many as the bytes hold
  eviction_policy eviction = eviction_policy::gdsf;
  dynamic_options dynamic = {};
  std::chrono::milliseconds wait{60'000};  ///< a request waits so long for its adapter to be loaded
  std::chrono::milliseconds drain_after{
      3'000};  ///< an adapter without room waits so long for one in use; 0: ever
  std::size_t max_names = 100'000;
  std::int64_t wall_clock = 0;  ///< seconds since the epoch when the actor starts
  std::vector<loader_actor> loaders = {};
  executor_actor executor = {};
  store_actor store = {};  ///< null: nothing is kept
  hub_actor hub = {};      ///< null: nothing is downloaded
  telemetry_actor telemetry = {};
  std::shared_ptr<status_board> board = {};
  const clock_source& clock;
  /// Called once, from any thread: every start-up adapter is decided, or the first bad one that is not
  /// skipped.
  std::function<void(result<void>)> decided = {};
};

/// Starts the actor, which starts loading the start-up adapters.
adapters_actor spawn_adapters(caf::actor_system& system, adapters_parts parts);

}  // namespace lorica
