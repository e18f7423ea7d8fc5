// y = x / sqrt(mean(x²) + ε) ⊙ w, formula and shapes in norm.hpp. A block of threads per row: each thread
// walks over the columns t, t + threads, … twice, the second time from the caches. The number of threads is a
// function of the width only, and so is the order of the sum.
#include "gpu/norm.hpp"

#include "gpu/lanes.cuh"
#include "gpu/launch.cuh"

namespace lorica::gpu {
namespace {

constexpr unsigned most_threads = 512;

unsigned threads_for(std::uint32_t width) {
  unsigned out = warp_lanes;
  while (out < most_threads && out * 4 < width)
    out *= 2;
  return out;
}

/// 1 / sqrt(mean + ε), from what every thread has summed of the squares.
__device__ float factor_of(float squares, std::uint32_t width, float epsilon, float* room) {
  return 1.0f / sqrtf(sum_block(squares, room) / static_cast<float>(width) + epsilon);
}

template <class Element>
__global__ void __launch_bounds__(most_threads) norm_kernel(norm_args a) {
  __shared__ float room[warp_lanes];
  wait_for_previous();
  const std::size_t row = blockIdx.x;
  auto* x = static_cast<Element*>(a.x) + row * a.x_stride;
  const auto* branch = a.branch ? a.branch + row * a.branch_stride : nullptr;
  const auto value = [&](std::uint32_t k) {
    return branch ? to_float(x[k]) + to_float(branch[k]) : to_float(x[k]);
  };
  float squares = 0;
  for (auto k = threadIdx.x; k < a.width; k += blockDim.x)
    squares += value(k) * value(k);
  const float factor = factor_of(squares, a.width, a.epsilon, room);
  auto* y = a.y + row * a.y_stride;
  for (auto k = threadIdx.x; k < a.width; k += blockDim.x) {
    const float v = value(k);
    y[k] = to_bfloat(v * factor * a.weight[k]);
    if (branch) x[k] = stored<Element>(v);
  }
  let_next_begin();
}

template <class Element>
__global__ void __launch_bounds__(most_threads) norm_add_kernel(norm_args a) {
  __shared__ float room[warp_lanes];
  wait_for_previous();
  const std::size_t row = blockIdx.x;
  auto* x = static_cast<Element*>(a.x) + row * a.x_stride;
  const auto* branch = a.branch + row * a.branch_stride;
  float squares = 0;
  for (auto k = threadIdx.x; k < a.width; k += blockDim.x)
    squares += to_float(branch[k]) * to_float(branch[k]);
  const float factor = factor_of(squares, a.width, a.epsilon, room);
  for (auto k = threadIdx.x; k < a.width; k += blockDim.x)
    x[k] = stored<Element>(to_float(x[k]) + to_float(branch[k]) * factor * a.weight[k]);
  let_next_begin();
}

}  // namespace

result<void> norm(const norm_args& a, const stream& s) {
  const launch_shape shape{dim3(a.rows), dim3(threads_for(a.width))};
  if (a.format == number_format::float32) return launch("norm", s, shape, norm_kernel<float>, a);
  return launch("norm", s, shape, norm_kernel<bfloat>, a);
}

result<void> norm_add(const norm_args& a, const stream& s) {
  const launch_shape shape{dim3(a.rows), dim3(threads_for(a.width))};
  if (a.format == number_format::float32) return launch("norm_add", s, shape, norm_add_kernel<float>, a);
  return launch("norm_add", s, shape, norm_add_kernel<bfloat>, a);
}

}  // namespace lorica::gpu
