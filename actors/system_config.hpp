#pragma once

#include <caf/actor_system_config.hpp>

namespace lorica {

/// How the actor system runs: few messages, latency counts, the cores belong to the compute team. Reads no
/// file and no command line.
class system_config final : public caf::actor_system_config {
 public:
  system_config();
};

}  // namespace lorica
