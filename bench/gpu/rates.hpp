#pragma once

#include <compare>
#include <cstdint>

#include "bench/gpu/random_numbers.hpp"
#include "bench/gpu/times.hpp"
#include "gpu/e4m3.hpp"
#include "model/model_config.hpp"

namespace lorica::bench {

/// How fast the card copies, in bytes per second.
struct copy_rates {
  double device = 0;     ///< on the device, what is read and what is written counted
  double to_device = 0;  ///< from pinned host memory
};

/// Copies `bytes` on the device and a quarter of them to it. Throws `failure`.
copy_rates measure_copies(int device, std::uint64_t bytes, const repetition& how);

/// Seconds that cuBLASLt takes for the products of a step alone: those of one layer, and the head, which is
/// bfloat16 always. Of fp8 what scales them counts too: on compute capability 9.0 that is the product, else a
/// kernel.
struct product_times {
  std::uint32_t rows = 0;
  std::uint32_t read = 0;  ///< rows that have logits
  gpu::weight_format weights = gpu::weight_format::bfloat16;
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

/// What products are measured.
struct product_point {
  std::uint32_t rows = 0;
  std::uint32_t read = 0;
  gpu::weight_format weights = gpu::weight_format::bfloat16;

  auto operator<=>(const product_point&) const = default;
};

/// Measures them with random numbers, weights cold. Throws `failure`.
product_times measure_products(int device, const model_config& m, const product_point& p,
                               const random_numbers& numbers, const repetition& how);

}  // namespace lorica::bench
