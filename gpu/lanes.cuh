#pragma once

// What the threads of a warp and of a block do together. In a build for the emulated device the few
// instructions without a C++ form come from its `emulated_lanes.hpp`.

#include <cuda_runtime.h>

#include <cstdint>

#include "gpu/bfloat.hpp"

#ifndef __CUDACC__
#include <emulated_lanes.hpp>
#endif

namespace lorica::gpu {

inline constexpr unsigned warp_lanes = 32;
inline constexpr unsigned all_lanes = 0xffffffffu;

/// Numbers of the thread in its block and of its lane; blocks are one-dimensional, a multiple of 32 threads.
__device__ inline unsigned lane() {
  return threadIdx.x % warp_lanes;
}
__device__ inline unsigned warp() {
  return threadIdx.x / warp_lanes;
}
__device__ inline unsigned warps() {
  return blockDim.x / warp_lanes;
}

/// The launch's dynamic shared memory, on 128 bytes; content undefined.
template <class T>
__device__ inline T* dynamic_shared() {
#ifdef __CUDACC__
  extern __shared__ __align__(128) unsigned char lorica_dynamic_shared[];
  return reinterpret_cast<T*>(lorica_dynamic_shared);
#else
  return reinterpret_cast<T*>(emulated_device::shared_memory());
#endif
}

struct add_floats {
  __device__ float operator()(float a, float b) const { return a + b; }
};
struct larger_float {
  __device__ float operator()(float a, float b) const { return a > b ? a : b; }
};

/// `combine` over neighbouring `Lanes` lanes (a power of two), the same in all of them and in every run.
template <unsigned Lanes = warp_lanes, class Combine>
__device__ inline float reduce_lanes(float x, Combine combine) {
  for (unsigned step = Lanes / 2; step != 0; step /= 2)
    x = combine(x, __shfl_xor_sync(all_lanes, x, static_cast<int>(step)));
  return x;
}

template <unsigned Lanes = warp_lanes>
__device__ inline float sum_lanes(float x) {
  return reduce_lanes<Lanes>(x, add_floats{});
}
template <unsigned Lanes = warp_lanes>
__device__ inline float max_lanes(float x) {
  return reduce_lanes<Lanes>(x, larger_float{});
}

/// `combine` over all threads of the block, in a fixed order; `room` holds 32 floats of shared memory and is
/// free again when every thread has passed the next barrier. `nothing` is combine's neutral number.
template <class Combine>
__device__ inline float reduce_block(float x, Combine combine, float nothing, float* room) {
  x = reduce_lanes(x, combine);
  if (lane() == 0) room[warp()] = x;
  __syncthreads();
  x = lane() < warps() ? room[lane()] : nothing;
  return reduce_lanes(x, combine);
}

__device__ inline float sum_block(float x, float* room) {
  return reduce_block(x, add_floats{}, 0.0f, room);
}

/// d += A B on the tensor cores: A 16 x 16 in rows, B 16 x 8 in columns, both bfloat16, d 16 x 8 float32.
///
/// Lane l holds of A: a[0] row l / 4, columns l % 4 * 2 and the next; a[1] the same 8 rows lower; a[2], a[3]
/// those 8 columns on. Of B: b[0] rows l % 4 * 2 and the next of column l / 4; b[1] 8 rows lower. Of d: d[0],
/// d[1] row l / 4, columns l % 4 * 2 and the next; d[2], d[3] the same 8 rows lower (PTX ISA, mma.m16n8k16).
__device__ inline void mma_m16n8k16(float (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2]) {
#ifdef __CUDACC__
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, "
      "%1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#else
  emulated_device::mma_m16n8k16(d, a, b);
#endif
}

/// Four matrices of 8 x 8 bfloat16 from shared memory: lane 8 i + j points to row j (16 bytes, on 16 bytes)
/// of matrix i; out[i] holds of matrix i row l / 4, columns l % 4 * 2 and the next, which is how
/// `mma_m16n8k16` wants A. `transposed` gives them as B wants a matrix that lies in rows.
__device__ inline void load_matrices(std::uint32_t (&out)[4], const void* row) {
#ifdef __CUDACC__
  const auto at = static_cast<unsigned>(__cvta_generic_to_shared(row));
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(out[0]), "=r"(out[1]), "=r"(out[2]), "=r"(out[3])
               : "r"(at)
               : "memory");
#else
  emulated_device::load_matrices(out, row, false);
#endif
}

__device__ inline void load_matrices_transposed(std::uint32_t (&out)[4], const void* row) {
#ifdef __CUDACC__
  const auto at = static_cast<unsigned>(__cvta_generic_to_shared(row));
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(out[0]), "=r"(out[1]), "=r"(out[2]), "=r"(out[3])
               : "r"(at)
               : "memory");
#else
  emulated_device::load_matrices(out, row, true);
#endif
}

/// 16 bytes from device to shared memory, both on 16 bytes, of which the first `bytes` are read and the rest
/// are zero. Done when the thread has waited; seen by others after a barrier behind that.
__device__ inline void copy_async(void* to_shared, const void* from, unsigned bytes = 16) {
#ifdef __CUDACC__
  const auto at = static_cast<unsigned>(__cvta_generic_to_shared(to_shared));
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(at), "l"(from), "r"(bytes) : "memory");
#else
  emulated_device::copy_later(to_shared, from, bytes, 16 - bytes);
#endif
}

/// The copies since the last call become one group.
__device__ inline void commit_copies() {
#ifdef __CUDACC__
  asm volatile("cp.async.commit_group;" ::: "memory");
#else
  emulated_device::commit_copies();
#endif
}

/// Waits until at most the last `Pending` groups of this thread are not done.
template <int Pending>
__device__ inline void wait_copies() {
#ifdef __CUDACC__
  asm volatile("cp.async.wait_group %0;" ::"n"(Pending) : "memory");
#else
  emulated_device::wait_copies(Pending);
#endif
}

/// In a kernel that was launched `early`: waits for the launch in front of it. Nothing to do before sm_90.
__device__ inline void wait_for_previous() {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.wait;" ::: "memory");
#elif !defined(__CUDACC__)
  emulated_device::waited_for_previous();
#endif
}

/// Lets the next launch begin that is `early`.
__device__ inline void let_next_begin() {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.launch_dependents;");
#endif
}

}  // namespace lorica::gpu
