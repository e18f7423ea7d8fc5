#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>

#include "core/error.hpp"
#include "cpu/isa.hpp"
#include "cpu/kept_weights.hpp"
#include "cpu/kernels.hpp"
#include "cpu/kv_cache.hpp"
#include "cpu/mode.hpp"
#include "cpu/step_profile.hpp"
#include "engine/executor.hpp"
#include "model/weights.hpp"

namespace lorica {

/// Told the logits [vocab] of a row whose logits are read, `reading` counted over the rows of a step that
/// are. Called on the thread that executes, before the step ends.
using logits_observer = std::function<void(std::uint32_t reading, std::span<const float> logits)>;

/// How to build a CPU executor. Every size is fixed for its life.
struct cpu_options {
  cpu_mode mode = cpu_dtype::bfloat16;  ///< float32 is the exact mode
  std::uint32_t threads = 0;            ///< 0: every processor this process may use
  std::uint32_t blocks = 0;             ///< KV blocks; bytes are `kv_bytes_per_token` * block_tokens * blocks
  std::uint32_t block_tokens = 16;      ///< a multiple of 16
  std::uint32_t max_sequences = 16;
  std::uint32_t max_rows = 512;
  std::uint32_t max_positions = 2048;
  std::uint32_t token_ids = 0;  ///< the tokenizer's: only lower ids are chosen; 0: the whole vocabulary
  std::uint64_t logits_bytes = std::uint64_t{64} << 20;  ///< of logits held at once, at least one row of them
  std::optional<isa> instructions;                       ///< absent: the widest that runs here
  std::function<void(std::uint64_t done, std::uint64_t all)> progress;  ///< bytes of packed weights
  std::optional<packed_cache> cache = {};  ///< of packed weights; absent: packed at every start
  notice tell = {};                        ///< where the weights came from, and what the cache could not do
  logits_observer observer = {};           ///< for measuring how far modes are apart; absent in service
  step_profile* profile = nullptr;  ///< for measuring where time goes, for as many members; null in service
};

/// Packs the model on all threads, or reads what an earlier start packed, and allocates everything a step
/// needs; steps allocate nothing but what they return. Fails with `errc::bad_config` (the text names the
/// option) or `errc::out_of_memory`.
result<std::unique_ptr<executor>> make_cpu_executor(std::shared_ptr<const model_weights> model,
                                                    const cpu_options& options);

}  // namespace lorica
