#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/device_report.hpp"
#include "core/sampling_params.hpp"

namespace lorica {

/// What does not change while the server runs: limits and names that validation and `/info` need.
struct server_info {
  std::string model_id;                         ///< public id of the base, never a path
  std::vector<std::string> served_model_names;  ///< further names of the base
  std::string model_dtype;                   ///< `float32`, `bfloat16` or `int8`: what the engine computes in
  std::string adapter_dtype;                 ///< the same: what adapters are kept in
  std::string kv_cache_dtype;                ///< and keys and values
  std::string device;                        ///< `cpu` or `cuda`
  std::optional<device_report> accelerator;  ///< nothing where the processor computes
  std::string isa;                           ///< instruction set the kernels use
  std::string version;
  std::string commit;
  std::int64_t started = 0;  ///< seconds since the epoch
  std::uint32_t max_concurrent_requests = 128;
  std::uint32_t max_best_of = 2;
  std::uint32_t max_stop_sequences = 4;
  std::uint32_t max_top_n_tokens = 5;
  std::uint32_t max_input_tokens = 0;
  std::uint32_t max_total_tokens = 0;
  std::uint32_t max_batch_total_tokens = 0;
  std::uint32_t max_batch_prefill_tokens = 0;
  std::uint32_t validation_workers = 2;
  std::uint32_t max_client_batch_size = 4;
  watermark mark = {};  ///< of requests that want one
};

}  // namespace lorica
