// s = max |x| / 448, c = x / s; shapes in row_codes.hpp. A block of threads per row: each thread has the
// groups of eight columns t, t + threads, …, and reads them twice, the second time from the caches.
#include "gpu/row_codes.hpp"

#include "gpu/lanes.cuh"
#include "gpu/launch.cuh"

namespace lorica::gpu {
namespace {

constexpr unsigned most_threads = 512, wide = 8;

struct alignas(16) eight_numbers {
  bfloat of[wide];
};
struct alignas(8) eight_codes {
  e4m3 of[wide];
};

unsigned threads_for(std::uint32_t width) {
  unsigned out = warp_lanes;
  while (out < most_threads && out * wide < width)
    out *= 2;
  return out;
}

__global__ void __launch_bounds__(most_threads) row_codes_kernel(row_codes_args a) {
  __shared__ float room[warp_lanes];
  wait_for_previous();
  const std::size_t row = blockIdx.x;
  const auto* x = reinterpret_cast<const eight_numbers*>(a.x + row * a.x_stride);
  auto* codes = reinterpret_cast<eight_codes*>(a.codes + row * a.codes_stride);
  const auto groups = a.width / wide;
  float largest = 0;
  for (auto g = threadIdx.x; g < groups; g += blockDim.x) {
    const auto of_x = x[g];
    for (unsigned i = 0; i < wide; ++i)
      largest = larger_float{}(fabsf(to_float(of_x.of[i])), largest);
  }
  const float scale = scale_of_codes(reduce_block(largest, larger_float{}, 0.0f, room));
  const float inverse = 1.0f / scale;
  for (auto g = threadIdx.x; g < groups; g += blockDim.x) {
    const auto of_x = x[g];
    eight_codes out;
    for (unsigned i = 0; i < wide; ++i)
      out.of[i] = to_e4m3(to_float(of_x.of[i]) * inverse);
    codes[g] = out;
  }
  if (threadIdx.x == 0) a.scales[row] = scale;
  let_next_begin();
}

}  // namespace

result<void> code_rows(const row_codes_args& a, const stream& s) {
  return launch("code_rows", s, {dim3(a.rows), dim3(threads_for(a.width))}, row_codes_kernel, a);
}

}  // namespace lorica::gpu
