// y = r y c + b in place; shapes in scaled_products.hpp. A thread has four neighbours of one row.
#include "gpu/scaled_products.hpp"

#include "gpu/lanes.cuh"
#include "gpu/launch.cuh"

namespace lorica::gpu {
namespace {

constexpr unsigned threads = 256, wide = 4;

struct alignas(8) four_numbers {
  bfloat of[wide];
};

__global__ void __launch_bounds__(threads) scaled_products_kernel(scaled_products_args a) {
  wait_for_previous();
  const auto column = (blockIdx.x * threads + threadIdx.x) * wide;
  const std::size_t row = blockIdx.y;
  if (column < a.outputs) {
    auto* at = reinterpret_cast<four_numbers*>(a.y + row * a.y_stride + column);
    auto y = *at;
    const float of_row = a.row_scales[row];
    for (unsigned i = 0; i < wide; ++i) {
      float x = to_float(y.of[i]) * of_row * a.output_scales[column + i];
      if (a.bias) x += to_float(a.bias[column + i]);
      y.of[i] = to_bfloat(x);
    }
    *at = y;
  }
  let_next_begin();
}

}  // namespace

result<void> scale_products(const scaled_products_args& a, const stream& s) {
  constexpr unsigned columns = wide * threads;
  return launch("scale_products", s, {dim3((a.outputs + columns - 1) / columns, a.rows), dim3(threads)},
                scaled_products_kernel, a);
}

}  // namespace lorica::gpu
