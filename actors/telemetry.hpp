#pragma once

#include <caf/fwd.hpp>

#include "actors/protocol.hpp"
#include "core/metrics.hpp"

namespace lorica {

/// Counts what the others report.
telemetry_actor spawn_telemetry(caf::actor_system& system, metrics& counters);

}  // namespace lorica
