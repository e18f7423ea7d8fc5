#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "core/error.hpp"
#include "engine/executor.hpp"
#include "engine/ledger.hpp"
#include "gpu/e4m3.hpp"
#include "model/weights.hpp"

namespace lorica::gpu {

/// How to build a CUDA executor. Every size is fixed for its life.
struct gpu_options {
  int device = 0;
  std::uint32_t blocks = 0;         ///< KV blocks; bytes as `gpu_kv_bytes`
  std::uint32_t block_tokens = 16;  ///< a multiple of 16
  std::uint32_t max_sequences = 16;
  std::uint32_t max_rows = 512;
  std::uint32_t max_positions = 2048;
  std::uint32_t token_ids = 0;  ///< the tokenizer's: only lower ids are chosen; 0: the whole vocabulary
  std::uint64_t adapter_bytes = std::uint64_t{1} << 30;  ///< of adapters on the device
  std::uint32_t adapters = 256;                          ///< on the device at once
  std::uint32_t adapter_ranks = 6144;  ///< of one composition, in its widest group of projections
  std::uint64_t logits_bytes = std::uint64_t{256}
                               << 20;  ///< of logits held at once, at least one row of them
  std::uint64_t product_bytes = std::uint64_t{32} << 20;  ///< that cuBLAS works in
  /// Of the layers' linear maps; fp8 needs compute capability 8.9, and inputs and outputs in multiples of 16:
  /// maps that have others stay in bfloat16.
  weight_format weights = weight_format::bfloat16;
  bool graphs = true;                          ///< steps that only decode are recorded once and replayed
  std::vector<std::uint32_t> graph_rows = {};  ///< for these numbers of rows, ascending; empty: decided
  /// How rows of adapters are shared out is measured at start, for so long at most; 0: it is not.
  std::chrono::milliseconds measure{0};
  bool same_products = false;  ///< a row's bits never depend on how many rows there are, at some cost
  std::function<void(std::uint64_t done, std::uint64_t all)> progress = {};  ///< bytes of weights
};

/// Bytes of device memory by part; nothing for caches.
using gpu_memory = memory_partition;

/// What `make_gpu_executor` takes with these options, `blocks` included.
gpu_memory gpu_memory_of(const model_weights& model, const gpu_options& options);

/// Bytes of keys and values that one token needs over all layers.
std::uint64_t gpu_kv_bytes_per_token(const model_config& m) noexcept;

/// Opens the device, brings the model there and allocates everything that steps need. Fails with
/// `errc::bad_config` (the text names the option, or says what is missing), `errc::out_of_memory` (what needs
/// how much), or `errc::generation_failed` where the device does.
result<std::unique_ptr<executor>> make_gpu_executor(std::shared_ptr<const model_weights> model,
                                                    const gpu_options& options);

}  // namespace lorica::gpu
