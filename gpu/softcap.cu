// x = c tanh(x / c), as c - 2c / (1 + exp(2x / c)), which loses nothing that a logit's neighbours would
// notice; shapes in softcap.hpp.
#include "gpu/softcap.hpp"

#include "gpu/lanes.cuh"
#include "gpu/launch.cuh"

namespace lorica::gpu {
namespace {

constexpr unsigned threads = 256;

__global__ void __launch_bounds__(threads) softcap_kernel(softcap_args a) {
  wait_for_previous();
  const auto column = blockIdx.x * threads + threadIdx.x;
  if (column < a.width) {
    float& x = a.x[blockIdx.y * a.stride + column];
    x = a.cap - 2 * a.cap / (1.0f + expf(2 / a.cap * x));
  }
  let_next_begin();
}

}  // namespace

result<void> softcap(const softcap_args& a, const stream& s) {
  return launch("softcap", s, {dim3((a.width + threads - 1) / threads, a.rows), dim3(threads)},
                softcap_kernel, a);
}

}  // namespace lorica::gpu
