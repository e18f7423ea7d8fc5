#pragma once

// Sixteen float lanes as four small vectors of the compiler, for any processor: the reference of the other
// two. Included by kernels_portable.cpp only; everything has internal linkage.

#include <cstddef>
#include <cstdint>

#define LORICA_KERNEL __attribute__((always_inline)) inline

namespace lorica {
namespace {

using floats4 = float __attribute__((vector_size(16)));
using words4 = std::uint32_t __attribute__((vector_size(16)));

struct vec {
  floats4 v[4];
};

/// Sixteen pairs of bfloat16, the even element in the low half.
struct pairs {
  words4 v[4];
};

/// Accumulators that leave registers for the operands.
constexpr int accumulators = 3;
constexpr int largest_row_tile = 3;

LORICA_KERNEL vec splat(float x) {
  const floats4 all = {x, x, x, x};
  return {{all, all, all, all}};
}
LORICA_KERNEL vec zero() {
  return splat(0);
}
LORICA_KERNEL vec load(const float* from) {
  vec out;
  __builtin_memcpy(&out, from, sizeof out);
  return out;
}
LORICA_KERNEL void store(float* to, vec a) {
  __builtin_memcpy(to, &a, sizeof a);
}
LORICA_KERNEL vec operator+(vec a, vec b) {
  return {{a.v[0] + b.v[0], a.v[1] + b.v[1], a.v[2] + b.v[2], a.v[3] + b.v[3]}};
}
LORICA_KERNEL vec operator-(vec a, vec b) {
  return {{a.v[0] - b.v[0], a.v[1] - b.v[1], a.v[2] - b.v[2], a.v[3] - b.v[3]}};
}
LORICA_KERNEL vec operator*(vec a, vec b) {
  return {{a.v[0] * b.v[0], a.v[1] * b.v[1], a.v[2] * b.v[2], a.v[3] * b.v[3]}};
}
LORICA_KERNEL vec operator/(vec a, vec b) {
  return {{a.v[0] / b.v[0], a.v[1] / b.v[1], a.v[2] / b.v[2], a.v[3] / b.v[3]}};
}
/// a * b + c.
LORICA_KERNEL vec fma(vec a, vec b, vec c) {
  return a * b + c;
}
LORICA_KERNEL floats4 larger(floats4 a, floats4 b) {
  return a > b ? a : b;
}
/// The larger of both; b when one is NaN.
LORICA_KERNEL vec larger(vec a, vec b) {
  return {{larger(a.v[0], b.v[0]), larger(a.v[1], b.v[1]), larger(a.v[2], b.v[2]), larger(a.v[3], b.v[3])}};
}
/// Lanes from `n` on become `other`.
LORICA_KERNEL vec first_lanes(vec a, std::uint32_t n, float other) {
  float lanes[16];
  store(lanes, a);
  for (std::uint32_t i = n; i < 16; ++i)
    lanes[i] = other;
  return load(lanes);
}
/// Sum over the lanes as a tree: halves are added until one lane is left.
LORICA_KERNEL float sum(vec a) {
  const floats4 q = (a.v[0] + a.v[2]) + (a.v[1] + a.v[3]);
  return (q[0] + q[2]) + (q[1] + q[3]);
}
LORICA_KERNEL float peak(vec a) {
  const floats4 q = larger(larger(a.v[0], a.v[2]), larger(a.v[1], a.v[3]));
  float out = q[0];
  for (int i = 1; i < 4; ++i)
    out = q[i] > out ? q[i] : out;
  return out;
}
LORICA_KERNEL floats4 power_of_two(floats4 t) {
  return (floats4)(((words4)t + 127u) << 23);
}
/// 2^n, where t = n + 1.5 * 2^23.
LORICA_KERNEL vec power_of_two(vec t) {
  return {{power_of_two(t.v[0]), power_of_two(t.v[1]), power_of_two(t.v[2]), power_of_two(t.v[3])}};
}
LORICA_KERNEL vec load_bfloats(const std::uint16_t* from) {
  std::uint32_t wide[16];
  for (int i = 0; i < 16; ++i)
    wide[i] = static_cast<std::uint32_t>(from[i]) << 16;
  vec out;
  __builtin_memcpy(&out, wide, sizeof out);
  return out;
}
/// Rounds to nearest, ties to even.
LORICA_KERNEL void store_bfloats(std::uint16_t* to, vec a) {
  std::uint32_t bits[16];
  __builtin_memcpy(bits, &a, sizeof bits);
  for (int i = 0; i < 16; ++i)
    to[i] = static_cast<std::uint16_t>((bits[i] + 0x7fffu + ((bits[i] >> 16) & 1u)) >> 16);
}
LORICA_KERNEL pairs load_pairs(const std::uint16_t* from) {
  pairs out;
  __builtin_memcpy(&out, from, sizeof out);
  return out;
}
LORICA_KERNEL pairs splat_pair(const std::uint16_t* from) {
  std::uint32_t both = 0;
  __builtin_memcpy(&both, from, sizeof both);
  const words4 all = {both, both, both, both};
  return {{all, all, all, all}};
}
LORICA_KERNEL floats4 dot(words4 a, words4 b, floats4 c) {
  const words4 upper = {0xffff0000u, 0xffff0000u, 0xffff0000u, 0xffff0000u};
  const floats4 both = c + (floats4)(a & upper) * (floats4)(b & upper);
  return both + (floats4)(a << 16) * (floats4)(b << 16);
}
/// c + a.even * b.even + a.odd * b.odd.
LORICA_KERNEL vec dot(pairs a, pairs b, vec c) {
  return {{dot(a.v[0], b.v[0], c.v[0]), dot(a.v[1], b.v[1], c.v[1]), dot(a.v[2], b.v[2], c.v[2]),
           dot(a.v[3], b.v[3], c.v[3])}};
}

}  // namespace
}  // namespace lorica
