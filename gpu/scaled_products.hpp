#pragma once

#include <cstddef>
#include <cstdint>

#include "core/error.hpp"
#include "gpu/bfloat.hpp"
#include "gpu/stream.hpp"

namespace lorica::gpu {

/// y = r y c + b in place: what products of codes become where the product itself cannot scale them.
///
/// y is bfloat16 [rows, outputs], rows `y_stride` elements apart; r float32 [rows], c float32 [outputs], b
/// bfloat16 [outputs] or null. Outputs and stride are multiples of 4, rows and bias begin on 8 bytes. A
/// thread per four outputs.
struct scaled_products_args {
  bfloat* y = nullptr;
  std::size_t y_stride = 0;
  std::uint32_t rows = 0;
  std::uint32_t outputs = 0;
  const float* row_scales = nullptr;
  const float* output_scales = nullptr;
  const bfloat* bias = nullptr;
};

result<void> scale_products(const scaled_products_args& a, const stream& s);

}  // namespace lorica::gpu
