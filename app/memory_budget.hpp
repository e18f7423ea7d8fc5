#pragma once

#include <cstdint>
#include <string>

#include "core/error.hpp"
#include "model/model_config.hpp"

namespace lorica {

/// Bytes this process may still take: the smaller of what the machine has available (`MemAvailable`) and what
/// its control groups (version 2 or 1, every level up to the root) leave. `root` is "/" except in tests.
std::uint64_t available_memory(const std::string& root = "/");

/// What decides the size of the KV pool.
struct kv_request {
  std::uint64_t available = 0;        ///< bytes, after the weights
  std::uint64_t bytes_per_token = 0;  ///< K and V of all layers
  std::uint32_t block_tokens = 16;
  std::uint32_t max_sequences = 1;
  std::uint32_t max_positions = 0;     ///< of the model
  std::uint64_t kv_memory = 0;         ///< as set by the operator; 0: decide
  std::uint32_t max_total_tokens = 0;  ///< as set; 0: decide
  std::uint32_t share = 4;             ///< the pool takes one in so many of the available bytes
};

/// The decision.
struct kv_plan {
  std::uint32_t blocks = 0;
  std::uint32_t max_total_tokens = 0;  ///< longest request that the pool can hold
};

/// Sizes the pool: the operator's number, else its share of the available bytes but not more than all
/// sequences at full length can use. Fails (`errc::bad_config`) when one longest request would not fit.
result<kv_plan> plan_kv(const kv_request& r);

}  // namespace lorica
