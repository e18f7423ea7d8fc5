#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "core/error.hpp"
#include "core/log_level.hpp"
#include "cpu/packed_cache.hpp"

namespace lorica {

/// Told a line for the operator; from any thread.
using notice = std::function<void(log_level level, const std::string& line)>;

/// Writes packed weights into the cache on a thread of its own, which takes only the processor time that
/// others leave (Linux `SCHED_IDLE`). A failure is one warning. Its end comes at once where it has not begun
/// to wait for the disk, else when 32 MiB have reached it. The bytes must live as long as it does.
class weights_keeper {
 public:
  weights_keeper(packed_cache cache, const packed_key& key, const packed_weights& weights, notice tell);

 private:
  std::jthread thread_;
};

/// Packed weights, and the key under which the cache does not have them yet.
struct ready_weights {
  std::unique_ptr<const packed_weights> weights;
  std::optional<packed_key> missing;
};

/// Reads the weights from `cache`, or packs them where it has none; without a cache they are packed. What is
/// kept but not to be used is named in a warning. Fails as `packed_weights::pack` does.
result<ready_weights> read_or_pack(const model_weights& model, cpu_mode mode, isa instructions,
                                   thread_team& team, const packing_progress& progress,
                                   const std::optional<packed_cache>& cache, const notice& tell);

}  // namespace lorica
