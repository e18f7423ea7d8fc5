#pragma once

// Sixteen float lanes as four small vectors of the compiler, for any processor: the reference of the other
// two. Included by kernels_portable.cpp only; everything has internal linkage.

#include <cstddef>
#include <cstdint>

#define LORICA_KERNEL __attribute__((always_inline)) inline
#include "cpu/four_lanes.hpp"

namespace lorica {
namespace {

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
constexpr int largest_quantised_tile = 2;

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
/// a / b, where 1 / b is a normal number.
LORICA_KERNEL vec quotient(vec a, vec b) {
  return a / b;
}
/// The larger of both; b when one is NaN.
LORICA_KERNEL vec larger(vec a, vec b) {
  return {{larger(a.v[0], b.v[0]), larger(a.v[1], b.v[1]), larger(a.v[2], b.v[2]), larger(a.v[3], b.v[3])}};
}
/// Whether any lane of a is above that of b; not where one is NaN.
LORICA_KERNEL bool any_above(vec a, vec b) {
  float own[16], other[16];
  __builtin_memcpy(own, &a, sizeof own);
  __builtin_memcpy(other, &b, sizeof other);
  bool any = false;
  for (int i = 0; i < 16; ++i)
    any |= own[i] > other[i];
  return any;
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
LORICA_KERNEL floats4 add_to_exponent(floats4 a, floats4 t) {
  return (floats4)((words4)a + ((words4)t << 23));
}
/// a * 2^n, where t = n + 1.5 * 2^23 and the result is a normal number.
LORICA_KERNEL vec add_to_exponent(vec a, vec t) {
  return {{add_to_exponent(a.v[0], t.v[0]), add_to_exponent(a.v[1], t.v[1]), add_to_exponent(a.v[2], t.v[2]),
           add_to_exponent(a.v[3], t.v[3])}};
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
/// The odd elements become zero.
LORICA_KERNEL pairs even_of(pairs a) {
  const words4 lower = {0xffffu, 0xffffu, 0xffffu, 0xffffu};
  return {{a.v[0] & lower, a.v[1] & lower, a.v[2] & lower, a.v[3] & lower}};
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

/// c + w.even * sum of `even` + w.odd * sum of `odd`.
LORICA_KERNEL vec dot_sums(pairs w, const input_group& even, const input_group& odd, vec c) {
  std::uint16_t halves[32];
  __builtin_memcpy(halves, &w, sizeof halves);
  std::uint16_t first[16], second[16];
  for (int i = 0; i < 16; ++i) {
    first[i] = halves[2 * i];
    second[i] = halves[2 * i + 1];
  }
  return fma(load_bfloats(second), splat(odd.scaled_sum),
             fma(load_bfloats(first), splat(even.scaled_sum), c));
}

/// Sixteen integers.
struct ints {
  std::int32_t v[16];
};

/// Four codes for each of sixteen outputs.
struct codes {
  std::uint8_t v[64];
};

/// Four codes of an input, for every output.
struct quad {
  std::int8_t v[4];
};

LORICA_KERNEL ints splat_int(std::int32_t x) {
  ints out;
  for (auto& i : out.v)
    i = x;
  return out;
}
LORICA_KERNEL vec to_floats(const ints& a) {
  float out[16];
  for (int i = 0; i < 16; ++i)
    out[i] = static_cast<float>(a.v[i]);
  return load(out);
}
/// The exponent is moved by a product, which is exact, for denormal halves too.
LORICA_KERNEL vec load_halves(const std::uint16_t* from) {
  float out[16];
  for (int i = 0; i < 16; ++i) {
    const std::uint32_t size = from[i] & 0x7fffu;
    std::uint32_t bits = size << 13;
    __builtin_memcpy(out + i, &bits, sizeof bits);
    out[i] *= 0x1p112f;
    __builtin_memcpy(&bits, out + i, sizeof bits);
    if (size >= 0x7c00u) bits = 0x7f800000u | size << 13;
    bits |= static_cast<std::uint32_t>(from[i] & 0x8000u) << 16;
    __builtin_memcpy(out + i, &bits, sizeof bits);
  }
  return load(out);
}
LORICA_KERNEL codes load_codes(const std::uint8_t* from) {
  codes out;
  __builtin_memcpy(&out, from, sizeof out);
  return out;
}
LORICA_KERNEL codes low_halves(codes c) {
  for (auto& x : c.v)
    x &= 15;
  return c;
}
LORICA_KERNEL codes high_halves(codes c) {
  for (auto& x : c.v)
    x = static_cast<std::uint8_t>(x >> 4);
  return c;
}
LORICA_KERNEL quad splat_quad(const std::int8_t* from) {
  quad out;
  __builtin_memcpy(&out, from, sizeof out);
  return out;
}
/// sum + the four products of each output.
LORICA_KERNEL ints dot_bytes(const codes& c, const quad& x, ints sum) {
  for (int i = 0; i < 16; ++i)
    for (int b = 0; b < 4; ++b)
      sum.v[i] += c.v[4 * i + b] * x.v[b];
  return sum;
}
/// Sums of products of codes below 16, over one group at most.
struct half_sums {
  ints sum;
};
LORICA_KERNEL half_sums begin_halves(const ints& start) {
  return {start};
}
/// sum + the four products of each output.
LORICA_KERNEL half_sums dot_halves(const codes& c, const quad& x, const half_sums& sum) {
  return {dot_bytes(c, x, sum.sum)};
}
/// What the sums come to, from the same start.
LORICA_KERNEL ints end_halves(const half_sums& sum, const ints&) {
  return sum.sum;
}
LORICA_KERNEL ints add_sixteenfold(ints sum, const ints& a) {
  for (int i = 0; i < 16; ++i)
    sum.v[i] += 16 * a.v[i];
  return sum;
}
/// 16 times the four products of each output; codes below 16.
LORICA_KERNEL ints dot_halves_sixteenfold(const codes& c, const quad& x, const ints& sum) {
  return add_sixteenfold(sum, dot_bytes(c, x, splat_int(0)));
}
/// Together with `dot_bytes`: sums of (code - 128) x.
LORICA_KERNEL ints start_of_bytes(const input_group& x) {
  return splat_int(x.minus_128);
}
/// The largest |x|; not a number where there is one.
LORICA_KERNEL float largest_size(vec low, vec high) {
  std::uint32_t bits[32];
  __builtin_memcpy(bits, &low, sizeof low);
  __builtin_memcpy(bits + 16, &high, sizeof high);
  std::uint32_t most = 0;
  for (auto b : bits)
    most = (b & 0x7fffffffu) > most ? b & 0x7fffffffu : most;
  float out = 0;
  __builtin_memcpy(&out, &most, sizeof out);
  return out;
}
/// Rounds to nearest, ties to even, by a number whose last place is one; the sum of what was stored.
LORICA_KERNEL int store_codes(std::int8_t* to, vec low, vec high) {
  const vec magic = splat(12582912.0f);
  float rounded[32];
  store(rounded, low + magic);
  store(rounded + 16, high + magic);
  int sum = 0;
  for (int i = 0; i < 32; ++i) {
    std::int32_t bits = 0;
    __builtin_memcpy(&bits, rounded + i, sizeof bits);
    const std::int32_t code = bits - 0x4b400000;
    to[i] = static_cast<std::int8_t>(code > 127 ? 127 : code < -128 ? -128 : code);
    sum += to[i];
  }
  return sum;
}

/// Sum of |code| of a group.
LORICA_KERNEL int size_of_codes(const std::int8_t* codes) {
  int sum = 0;
  for (int i = 0; i < 32; ++i)
    sum += codes[i] < 0 ? -codes[i] : codes[i];
  return sum;
}

/// The largest |x| of each of four groups, as bits; not a number where there is one.
LORICA_KERNEL ints4 largest_sizes(const vec (&low)[4], const vec (&high)[4]) {
  float out[4];
  for (int g = 0; g < 4; ++g)
    out[g] = largest_size(low[g], high[g]);
  ints4 bits = {};
  __builtin_memcpy(&bits, out, sizeof bits);
  return bits;
}
/// As `store_codes` for four groups, `stride` bytes apart; the sum of each.
LORICA_KERNEL ints4 store_four_codes(std::int8_t* to, std::size_t stride, const vec (&low)[4],
                                     const vec (&high)[4]) {
  ints4 sums = {};
  for (int g = 0; g < 4; ++g)
    sums[g] = store_codes(to + std::size_t(g) * stride, low[g], high[g]);
  return sums;
}

}  // namespace
}  // namespace lorica
