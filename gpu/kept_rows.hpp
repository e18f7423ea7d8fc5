#pragma once

#include <cstddef>
#include <cstdint>

#include "core/error.hpp"
#include "gpu/bfloat.hpp"
#include "gpu/stream.hpp"

namespace lorica::gpu {

/// y[i] = x[rows[i]]: the rows of a step that are read, moved together.
///
/// x and y are [.., width] in `format`, rows `x_stride` and `y_stride` elements apart, and do not overlap;
/// rows is [count], on the device. A block of threads per row.
struct kept_rows_args {
  const void* x = nullptr;
  std::size_t x_stride = 0;
  number_format format = number_format::bfloat16;
  const std::uint32_t* rows = nullptr;
  std::uint32_t count = 0;
  std::uint32_t width = 0;
  void* y = nullptr;
  std::size_t y_stride = 0;
};

result<void> keep_rows(const kept_rows_args& a, const stream& s);

}  // namespace lorica::gpu
