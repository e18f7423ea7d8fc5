#pragma once

#include <cstddef>
#include <cstdint>

#include "core/error.hpp"
#include "gpu/bfloat.hpp"
#include "gpu/e4m3.hpp"
#include "gpu/stream.hpp"

namespace lorica::gpu {

/// y = x / sqrt(mean(x²) + ε) ⊙ w for every row (Zhang and Sennrich 2019), x being the residual stream, after
/// what the last branch gave was added to it: x += branch.
///
/// x is [rows, width] in `format`, rows `x_stride` elements apart; branch bfloat16 [rows, width], rows
/// `branch_stride` apart, or null; w float32 [width]; y bfloat16 [rows, width], rows `y_stride` apart. Sums
/// are float32, of the numbers before x is stored. A row's bits depend on the row only. A block of threads
/// per row. Where there are `codes` [rows, width] they become y's as `code_rows` makes them, with `scales`
/// [rows].
struct norm_args {
  void* x = nullptr;
  number_format format = number_format::float32;
  std::size_t x_stride = 0;
  const bfloat* branch = nullptr;
  std::size_t branch_stride = 0;
  const float* weight = nullptr;
  std::uint32_t rows = 0;
  std::uint32_t width = 0;
  float epsilon = 0;
  bfloat* y = nullptr;
  std::size_t y_stride = 0;
  e4m3* codes = nullptr;
  std::size_t codes_stride = 0;
  float* scales = nullptr;
};

result<void> norm(const norm_args& a, const stream& s);

/// x += branch / sqrt(mean(branch²) + ε) ⊙ w, without y and codes: what a branch adds once it is normalised
/// (Gemma 2).
result<void> norm_add(const norm_args& a, const stream& s);

}  // namespace lorica::gpu
