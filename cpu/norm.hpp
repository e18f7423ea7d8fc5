#pragma once

#include <cstddef>
#include <cstdint>

#include "cpu/weight_format.hpp"

namespace lorica {

/// y = x / sqrt(mean(x²) + ε) ⊙ w (Zhang and Sennrich 2019), one row.
///
/// x and w are float32 [padded], zero from `width` on; padded is a multiple of 32. y is [padded] in the
/// format of the kernel, and the same in groups of codes (quantise.hpp); each null where it is not wanted. A
/// thread is handed whole rows. With `high` what sticks out of a row's groups is kept apart (quantise.hpp).
struct norm_args {
  const float* x = nullptr;
  const float* weight = nullptr;
  std::uint32_t width = 0;
  std::uint32_t padded = 0;
  float epsilon = 0;
  void* y = nullptr;
  input_group* groups = nullptr;  ///< [padded / 32]
  std::int8_t* high = nullptr;  ///< [padded + padded / 32], a row of `high_codes`; null: everything is codes
};

using norm_kernel = void (*)(const norm_args&);

/// y += x / sqrt(mean(x²) + ε) ⊙ w, one row: what a branch adds to the residual stream once it is normalised
/// (Gemma 2). Shapes as above, but y is float32 in every format.
using norm_add_kernel = void (*)(const norm_args&);

}  // namespace lorica
