// y[i] = x[rows[i]]; shapes in kept_rows.hpp. A block of threads per row, columns t, t + threads, ….
#include "gpu/kept_rows.hpp"

#include "gpu/lanes.cuh"
#include "gpu/launch.cuh"

namespace lorica::gpu {
namespace {

constexpr unsigned threads = 128;

template <class Element>
__global__ void __launch_bounds__(threads) kept_rows_kernel(kept_rows_args a) {
  const std::size_t row = blockIdx.x;
  const auto* from = static_cast<const Element*>(a.x) + a.rows[row] * a.x_stride;
  auto* to = static_cast<Element*>(a.y) + row * a.y_stride;
  for (auto k = threadIdx.x; k < a.width; k += blockDim.x)
    to[k] = from[k];
}

}  // namespace

result<void> keep_rows(const kept_rows_args& a, const stream& s) {
  const launch_shape shape{dim3(a.count), dim3(threads)};
  if (a.format == number_format::float32) return launch("keep_rows", s, shape, kept_rows_kernel<float>, a);
  return launch("keep_rows", s, shape, kept_rows_kernel<bfloat>, a);
}

}  // namespace lorica::gpu
