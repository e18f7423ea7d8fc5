#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/ids.hpp"

namespace lorica {

/// One adapter as listings show it.
struct adapter_status {
  std::string name;
  adapter_version version;
  std::string state;  ///< `loading`, `ready`, `failed`
  std::string tier;   ///< `device`, `host`, `disk`
  std::vector<std::uint32_t> ranks;
  std::uint64_t bytes = 0;  ///< resident bytes of the packed adapter
  std::uint64_t leases = 0;
  std::uint64_t requests = 0;
  std::int64_t created = 0;  ///< seconds since the epoch
  std::string failure;       ///< reason word when failed
};

/// The server at one moment; immutable once published, read without a mailbox.
struct status_snapshot {
  bool ready = false;   ///< the model is loaded and every start-up adapter is decided
  bool healthy = true;  ///< the last step did not fail
  bool draining = false;
  std::uint64_t running_sequences = 0;
  std::uint64_t waiting_sequences = 0;
  std::uint64_t kv_blocks_used = 0;
  std::uint64_t kv_blocks_total = 0;
  std::uint64_t steps = 0;
  std::uint64_t preemptions = 0;
  std::uint64_t leases = 0;
  std::uint64_t sessions = 0;
  std::vector<adapter_status> adapters;
};

/// Reads the latest snapshot; thread-safe, never blocks, never null.
class status_service {
 public:
  virtual ~status_service() = default;
  virtual std::shared_ptr<const status_snapshot> snapshot() const = 0;

  /// The metrics in Prometheus text format, as of now.
  virtual std::string metrics_text() const = 0;
};

}  // namespace lorica
