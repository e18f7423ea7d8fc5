#pragma once

#include <cstddef>
#include <cstdint>

#include "core/error.hpp"
#include "gpu/bfloat.hpp"
#include "gpu/e4m3.hpp"
#include "gpu/stream.hpp"

namespace lorica::gpu {

/// Rows as codes: s = max |x| / 448 over a row, c = x / s to the nearest e4m3.
///
/// x is bfloat16 [rows, width], rows `x_stride` elements apart; codes [rows, width], rows `codes_stride`
/// apart; scales float32 [rows]. Width and strides are multiples of 16, rows begin on 16 bytes. A row's codes
/// depend on the row only; what is no number stays none, and a row of zeros has the scale 1. A block of
/// threads per row.
struct row_codes_args {
  const bfloat* x = nullptr;
  std::size_t x_stride = 0;
  std::uint32_t rows = 0;
  std::uint32_t width = 0;
  e4m3* codes = nullptr;
  std::size_t codes_stride = 0;
  float* scales = nullptr;
};

result<void> code_rows(const row_codes_args& a, const stream& s);

}  // namespace lorica::gpu
