#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace lorica::bench {

/// An adapter as memory sees it.
struct stored_adapter {
  std::uint64_t bytes = 1;
  double load_seconds = 0;  ///< what it costs to read it again
};

/// What became of a trace.
struct replay_result {
  std::uint64_t requests = 0;
  std::uint64_t hits = 0;
  double load_seconds = 0;  ///< of all misses

  double hit_rate() const {
    return requests == 0 ? 0 : static_cast<double>(hits) / static_cast<double>(requests);
  }
};

/// Which adapters stay: `lru` and `gdsf` are `residency`'s, as the server has them; `lfu` counts uses over
/// the whole trace, also of what is not in memory, and lets the least used go, of equals the longest unused.
enum class replay_policy : std::uint8_t { lru, lfu, gdsf };

/// A trace of requests (indices into `adapters`), one after the other, each done before the next begins, with
/// room for `budget` bytes. Every adapter fits into it by itself. Throws `std::logic_error` when the
/// bookkeeping refuses.
replay_result replay(replay_policy policy, const std::vector<stored_adapter>& adapters,
                     const std::vector<std::uint32_t>& trace, std::uint64_t budget);

}  // namespace lorica::bench
