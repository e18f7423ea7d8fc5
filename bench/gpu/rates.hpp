#pragma once

#include <cstdint>

#include "bench/gpu/random_numbers.hpp"
#include "bench/gpu/times.hpp"
#include "model/model_config.hpp"

namespace lorica::bench {

/// How fast the card copies, in bytes per second.
struct copy_rates {
  double device = 0;     ///< on the device, what is read and what is written counted
  double to_device = 0;  ///< from pinned host memory
};

/// Copies `bytes` on the device and a quarter of them to it. Throws `failure`.
copy_rates measure_copies(int device, std::uint64_t bytes, const repetition& how);

/// Seconds that cuBLASLt takes for the products of a step alone: those of one layer, and the head.
struct product_times {
  std::uint32_t rows = 0;
  double qkv = 0;
  double later = 0;  ///< o, gate and up, down
  double head = 0;   ///< of the rows that are read

  /// A step in which all rows choose a token.
  double decode_step(const model_config& m) const noexcept { return m.layers * (qkv + later) + head; }

  /// A step of one prompt, without the one row behind the last attention.
  double prompt_step(const model_config& m) const noexcept {
    return m.layers * qkv + (m.layers - 1.0) * later + head;
  }
};

/// Measures them with random numbers, weights cold; `read` rows have logits. Throws `failure`.
product_times measure_products(int device, const model_config& m, std::uint32_t rows, std::uint32_t read,
                               const random_numbers& numbers, const repetition& how);

}  // namespace lorica::bench
