#include "tests/gpu/lane_kernels.hpp"

#include "gpu/lanes.cuh"
#include "gpu/launch.cuh"

namespace lorica::testing {
namespace {

using namespace lorica::gpu;

__global__ void sum_kernel(const float* x, unsigned count, float* out, float* largest) {
  __shared__ float room[warp_lanes];
  float sum = 0;
  for (auto i = threadIdx.x; i < count; i += blockDim.x)
    sum += x[blockIdx.x * count + i];
  const float peak = max_lanes<8>(sum);
  const float all = sum_block(sum, room);
  if (threadIdx.x == 0) out[blockIdx.x] = all;
  if (threadIdx.x == 0) largest[blockIdx.x] = peak;
}

__device__ void store_tile(const float (&d)[4], float* out) {
  for (unsigned i = 0; i < 4; ++i)
    out[(lane() / 4 + i / 2 * 8) * 8 + lane() % 4 * 2 + i % 2] = d[i];
}

__device__ std::uint32_t pair_of(bfloat first, bfloat second) {
  return first.bits | std::uint32_t{second.bits} << 16;
}

__global__ void tile_kernel(const bfloat* a, const bfloat* b, float* out) {
  std::uint32_t left[4], right[2];
  const unsigned row = lane() / 4, pair = lane() % 4 * 2;
  for (unsigned i = 0; i < 4; ++i) {
    const auto* from = a + (row + i % 2 * 8) * 16 + pair + i / 2 * 8;
    left[i] = pair_of(from[0], from[1]);
  }
  for (unsigned i = 0; i < 2; ++i) {
    const auto* from = b + (pair + i * 8) * 8 + row;
    right[i] = pair_of(from[0], from[8]);
  }
  float d[4] = {0, 0, 0, 0};
  mma_m16n8k16(d, left, right);
  store_tile(d, out);
}

__global__ void tile_by_matrices_kernel(const bfloat* a, const bfloat* b, float* out) {
  auto* left_tile = dynamic_shared<bfloat>();
  auto* right_tile = left_tile + 16 * 16;
  copy_async(left_tile + lane() * 8, a + lane() * 8);
  if (lane() < 16) copy_async(right_tile + lane() * 8, b + lane() * 8);
  gpu::commit_copies();
  gpu::wait_copies<0>();
  __syncthreads();
  std::uint32_t left[4], right[4];
  load_matrices(left, left_tile + (lane() % 16) * 16 + lane() / 16 * 8);
  load_matrices_transposed(right, right_tile + (lane() % 16) * 8);
  float d[4] = {0, 0, 0, 0};
  const std::uint32_t halves[2] = {right[0], right[1]};
  mma_m16n8k16(d, left, halves);
  store_tile(d, out);
}

__global__ void mirror_kernel(const float* x, unsigned count, float* out) {
  auto* held = dynamic_shared<float>();
  for (auto i = threadIdx.x; i < count; i += blockDim.x)
    held[i] = x[i];
  __syncthreads();
  for (auto i = threadIdx.x; i < count; i += blockDim.x)
    out[i] = held[count - 1 - i];
}

__global__ void copy_some_kernel(const float* x, float* out) {
  constexpr unsigned wanted = 11;
  auto* held = dynamic_shared<float>();
  const unsigned first = lane() * 4;
  const unsigned there = first >= wanted ? 0 : (wanted - first < 4 ? wanted - first : 4);
  if (lane() < 8) copy_async(held + first, x + first, there * 4);
  gpu::commit_copies();
  gpu::wait_copies<0>();
  __syncthreads();
  out[lane()] = held[lane()];
}

__global__ void count_kernel(std::uint32_t* counter) {
  *counter += 1;
}

}  // namespace

result<void> sum_blocks(const float* x, unsigned count, unsigned blocks, unsigned threads, float* out,
                        float* largest, const stream& s) {
  return launch("sum_blocks", s, {dim3(blocks), dim3(threads)}, sum_kernel, x, count, out, largest);
}

result<void> multiply_tile(const bfloat* a, const bfloat* b, float* d, const stream& s) {
  return launch("multiply_tile", s, {dim3(1), dim3(32)}, tile_kernel, a, b, d);
}

result<void> multiply_tile_by_matrices(const bfloat* a, const bfloat* b, float* d, const stream& s) {
  return launch("multiply_tile", s, {dim3(1), dim3(32), 1024}, tile_by_matrices_kernel, a, b, d);
}

result<void> mirror(const float* x, unsigned count, float* out, const stream& s) {
  return launch("mirror", s, {dim3(1), dim3(64), count * sizeof(float)}, mirror_kernel, x, count, out);
}

result<void> copy_some(const float* x, float* out, const stream& s) {
  return launch("copy_some", s, {dim3(1), dim3(32), 128}, copy_some_kernel, x, out);
}

result<void> count_up(std::uint32_t* counter, const stream& s) {
  return launch("count_up", s, {dim3(1), dim3(1)}, count_kernel, counter);
}

}  // namespace lorica::testing
