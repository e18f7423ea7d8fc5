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
  std::string alias_of;     ///< empty: it has versions of its own
  adapter_version version;  ///< all zero until the first load succeeds
  std::string state;        ///< `loading`, `ready`, `failed`
  std::string tier;         ///< `device`, `host`, `disk`, `hub`: where it is now
  std::vector<std::uint32_t> ranks;
  std::uint32_t modules = 0;   ///< that it changes; 0: not known yet
  std::uint64_t bytes = 0;     ///< resident bytes of the packed adapter
  std::uint64_t leases = 0;    ///< of its version
  std::uint64_t users = 0;     ///< requests of this name inside the server
  std::uint64_t requests = 0;  ///< that named it since the start
  std::uint64_t hits = 0;      ///< of them, those that found it in memory
  std::uint64_t loads = 0;     ///< how often its files were read
  bool pinned = false;         ///< never evicted
  bool paused = false;         ///< new requests wait
  bool dynamic = false;        ///< found by its name, not loaded by anybody; in no catalogue
  std::int64_t created = 0;    ///< seconds since the epoch
  std::int64_t last_used = 0;  ///< seconds since the epoch; 0: never
  std::string failure;         ///< reason word when failed
  std::string source;          ///< as the caller wrote it; only for the operator's eyes
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
