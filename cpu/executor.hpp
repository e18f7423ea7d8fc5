#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "core/error.hpp"
#include "cpu/isa.hpp"
#include "cpu/kernels.hpp"
#include "engine/executor.hpp"
#include "model/weights.hpp"

namespace lorica {

/// How the CPU executor is built. Sizes are decided by the program; zero threads means the cores it may use.
struct cpu_options {
  cpu_dtype dtype = cpu_dtype::bfloat16;
  std::uint32_t threads = 0;
  std::uint32_t block_tokens = 16;  ///< at most 64
  std::uint32_t blocks = 0;
  std::uint32_t max_sequences = 1;
  std::uint32_t max_rows = 1;
  std::uint32_t max_positions = 0;
  std::uint32_t max_adapter_ranks = 768;  ///< stacked ranks of one input (three times the largest rank)
  std::optional<isa> instructions;        ///< empty: the best that runs here
};

/// K and V of one token in all layers.
std::uint64_t kv_bytes_per_token(const model_config& model, cpu_dtype type);

/// Packs the weights and takes all memory that steps need. Fails with `errc::bad_config` for options that
/// cannot work, `errc::out_of_memory`, or `errc::bad_model`.
result<std::unique_ptr<executor>> make_cpu_executor(std::shared_ptr<const model_weights> weights,
                                                    const cpu_options& options);

}  // namespace lorica
