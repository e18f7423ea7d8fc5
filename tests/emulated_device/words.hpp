#pragma once

// The words of device code that are not C++: they mean nothing here, or what a plain function means. Shared
// arrays of fixed size are static: blocks run one after the other on one OS thread. They have a section of
// their own, so that a launch finds no numbers in them.

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "tests/emulated_device/grid.hpp"

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __shared__ static __attribute__((section("emulated_shared")))
#define __launch_bounds__(...)
#define __grid_constant__

using dim3 = emulated_device::extent;

struct alignas(8) uint2 {
  unsigned x, y;
};
struct alignas(16) uint4 {
  unsigned x, y, z, w;
};
struct alignas(8) int2 {
  int x, y;
};
struct alignas(16) int4 {
  int x, y, z, w;
};
struct alignas(8) float2 {
  float x, y;
};
struct alignas(16) float4 {
  float x, y, z, w;
};
inline uint2 make_uint2(unsigned x, unsigned y) {
  return {x, y};
}
inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) {
  return {x, y, z, w};
}
inline float2 make_float2(float x, float y) {
  return {x, y};
}
inline float4 make_float4(float x, float y, float z, float w) {
  return {x, y, z, w};
}

inline void __syncthreads() {
  emulated_device::meet_block();
}
inline int __syncthreads_or(int value) {
  return emulated_device::meet_block_any(value != 0);
}
inline void __syncwarp(unsigned mask = 0xffffffffu) {
  emulated_device::meet(mask, emulated_device::meeting::sync, nullptr, 0);
}
inline void __threadfence() {}
inline void __threadfence_block() {}

namespace emulated_device {

template <class T>
T shuffle(unsigned mask, T value, unsigned source) {
  static_assert(sizeof(T) <= sizeof(lane_slot));
  auto* slots = meet(mask, meeting::shuffle, &value, sizeof value);
  T out;
  std::memcpy(&out, slots[source % lanes_per_warp].bytes, sizeof out);
  return out;
}

inline unsigned votes(unsigned mask, bool value) {
  auto* slots = meet(mask, meeting::vote, &value, sizeof value);
  unsigned out = 0;
  for (unsigned i = 0; i < lanes_per_warp; ++i)
    if (mask >> i & 1 && slots[i].bytes[0] != std::byte{0}) out |= 1u << i;
  return out;
}

}  // namespace emulated_device

// A lane beyond the section of `width` lanes reads itself, as on the device.
template <class T>
T __shfl_sync(unsigned mask, T value, int source, int width = 32) {
  const unsigned w = static_cast<unsigned>(width), self = emulated_device::lane();
  return emulated_device::shuffle(mask, value, self / w * w + static_cast<unsigned>(source) % w);
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int bits, int width = 32) {
  const unsigned w = static_cast<unsigned>(width), self = emulated_device::lane();
  const unsigned other = self ^ static_cast<unsigned>(bits);
  return emulated_device::shuffle(mask, value, other / w > self / w ? self : other);
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned by, int width = 32) {
  const unsigned w = static_cast<unsigned>(width), self = emulated_device::lane();
  return emulated_device::shuffle(mask, value, self % w + by < w ? self + by : self);
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned by, int width = 32) {
  const unsigned w = static_cast<unsigned>(width), self = emulated_device::lane();
  return emulated_device::shuffle(mask, value, self % w >= by ? self - by : self);
}
inline unsigned __ballot_sync(unsigned mask, int value) {
  return emulated_device::votes(mask, value != 0);
}
inline int __any_sync(unsigned mask, int value) {
  return emulated_device::votes(mask, value != 0) != 0;
}
inline int __all_sync(unsigned mask, int value) {
  return emulated_device::votes(mask, value == 0) == 0;
}

// Numbers.
using std::max;
using std::min;
inline float __uint_as_float(unsigned x) {
  return std::bit_cast<float>(x);
}
inline unsigned __float_as_uint(float x) {
  return std::bit_cast<unsigned>(x);
}
inline float __int_as_float(int x) {
  return std::bit_cast<float>(x);
}
inline int __float_as_int(float x) {
  return std::bit_cast<int>(x);
}
inline long long __double_as_longlong(double x) {
  return std::bit_cast<long long>(x);
}
inline float rsqrtf(float x) {
  return 1.0f / std::sqrt(x);
}
inline float __expf(float x) {
  return std::exp(x);
}
inline float __logf(float x) {
  return std::log(x);
}
inline float __fdividef(float x, float y) {
  return x / y;
}
inline float __fmul_rn(float x, float y) {
  return x * y;
}
inline float __fadd_rn(float x, float y) {
  return x + y;
}
inline float __fmaf_rn(float x, float y, float z) {
  return std::fma(x, y, z);
}
inline int __popc(unsigned x) {
  return std::popcount(x);
}
inline int __clz(int x) {
  return std::countl_zero(static_cast<unsigned>(x));
}
inline int __ffs(int x) {
  return x == 0 ? 0 : std::countr_zero(static_cast<unsigned>(x)) + 1;
}
inline unsigned __umulhi(unsigned x, unsigned y) {
  return static_cast<unsigned>(std::uint64_t{x} * y >> 32);
}
template <class T>
T __ldg(const T* at) {
  return *at;
}

// Threads are fibers of one OS thread, so nothing comes between.
template <class T>
T atomicAdd(T* at, T value) {
  T old = *at;
  *at = static_cast<T>(old + value);
  return old;
}
template <class T>
T atomicOr(T* at, T value) {
  T old = *at;
  *at = static_cast<T>(old | value);
  return old;
}
template <class T>
T atomicMax(T* at, T value) {
  T old = *at;
  *at = std::max(old, value);
  return old;
}
template <class T>
T atomicCAS(T* at, T expected, T value) {
  T old = *at;
  if (old == expected) *at = value;
  return old;
}
