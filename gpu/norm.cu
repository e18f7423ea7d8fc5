// y = x / sqrt(mean(x²) + ε) ⊙ w, formula and shapes in norm.hpp. A block of threads per row: each thread
// walks over the columns t, t + threads, … twice, the second time from the caches, and once more where codes
// are wanted. The number of threads is a function of the width only, and so is the order of the sum.
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

/// The codes of a row of y, from the largest number that every thread has written; it reads no others.
__device__ void code_normed(const norm_args& a, std::size_t row, float largest) {
  __shared__ float room[warp_lanes];
  const float scale = scale_of_codes(reduce_block(largest, larger_float{}, 0.0f, room));
  const float inverse = 1.0f / scale;
  const auto* y = a.y + row * a.y_stride;
  auto* codes = a.codes + row * a.codes_stride;
  for (auto k = threadIdx.x; k < a.width; k += blockDim.x)
    codes[k] = to_e4m3(to_float(y[k]) * inverse);
  if (threadIdx.x == 0) a.scales[row] = scale;
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
  float largest = 0;
  for (auto k = threadIdx.x; k < a.width; k += blockDim.x) {
    const float v = value(k);
    y[k] = to_bfloat(v * factor * a.weight[k]);
    largest = larger_float{}(fabsf(to_float(y[k])), largest);
    if (branch) x[k] = stored<Element>(v);
  }
  if (a.codes) code_normed(a, row, largest);
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
