#pragma once

// Sums and minima over all threads of a block, in a fixed order. `room` is shared memory for 32 numbers that
// nobody else uses; every thread of the block calls.

#include "gpu/lanes.cuh"

namespace lorica::gpu {

template <class T>
__device__ inline T sum_warp(T x) {
  for (unsigned step = warp_lanes / 2; step != 0; step /= 2)
    x += __shfl_xor_sync(all_lanes, x, static_cast<int>(step));
  return x;
}

/// The sum of the threads before this one in its warp, and its own.
template <class T>
__device__ inline T sum_up_to(T x) {
  for (unsigned step = 1; step != warp_lanes; step *= 2) {
    const T before = __shfl_up_sync(all_lanes, x, step);
    if (lane() >= step) x += before;
  }
  return x;
}

/// The sum over the block, in every thread.
template <class T>
__device__ inline T sum_threads(T x, T* room) {
  x = sum_warp(x);
  __syncthreads();
  if (lane() == 0) room[warp()] = x;
  __syncthreads();
  return sum_warp(lane() < warps() ? room[lane()] : T{0});
}

/// The least over the block, in every thread.
__device__ inline unsigned long long least(unsigned long long x, unsigned long long* room) {
  const auto of_warp = [](unsigned long long y) {
    for (unsigned step = warp_lanes / 2; step != 0; step /= 2) {
      const auto other = __shfl_xor_sync(all_lanes, y, static_cast<int>(step));
      y = other < y ? other : y;
    }
    return y;
  };
  x = of_warp(x);
  __syncthreads();
  if (lane() == 0) room[warp()] = x;
  __syncthreads();
  return of_warp(lane() < warps() ? room[lane()] : ~0ull);
}

/// The sum of the threads before this one, without its own; `all` becomes the sum over the block.
template <class T>
__device__ inline T sum_before(T x, T* room, T& all) {
  const T own = sum_up_to(x);
  __syncthreads();
  if (lane() == warp_lanes - 1) room[warp()] = own;
  __syncthreads();
  const T of_warps = sum_up_to(lane() < warps() ? room[lane()] : T{0});
  all = __shfl_sync(all_lanes, of_warps, static_cast<int>(warps() - 1));
  const T before = __shfl_sync(all_lanes, of_warps, warp() == 0 ? 0 : static_cast<int>(warp() - 1));
  return (warp() == 0 ? T{0} : before) + own - x;
}

}  // namespace lorica::gpu
