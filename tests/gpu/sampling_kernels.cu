#include "tests/gpu/sampling_kernels.hpp"

#include "gpu/exponential.cuh"
#include "gpu/launch.cuh"

namespace lorica::testing {
namespace {

__global__ void exponentials_kernel(const float* x, std::uint32_t count, float* y) {
  const auto i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < count) y[i] = gpu::exp_of_negative(x[i]);
}

}  // namespace

result<void> exponentials(const float* x, std::uint32_t count, float* y, const gpu::stream& s) {
  return gpu::launch("exponentials", s, {dim3((count + 127) / 128), dim3(128)}, exponentials_kernel, x, count,
                     y);
}

}  // namespace lorica::testing
