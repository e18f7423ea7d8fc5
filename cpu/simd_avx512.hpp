#pragma once

// Sixteen float lanes with AVX-512 (F, BW, DQ, VL, BF16, VNNI). Included by kernels_avx512.cpp only;
// everything has internal linkage, so that no other translation unit is given this one's instructions.

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#define LORICA_KERNEL __attribute__((always_inline)) inline
#include "cpu/four_lanes.hpp"
#include "cpu/simd_four.hpp"

namespace lorica {
namespace {

struct vec {
  __m512 v;
};

/// Sixteen pairs of bfloat16, the even element in the low half.
struct pairs {
  __m512i v;
};

/// Accumulators that leave registers for the operands.
constexpr int accumulators = 24;
constexpr int largest_row_tile = 12;
constexpr int largest_quantised_tile = 12;

LORICA_KERNEL vec zero() {
  return {_mm512_setzero_ps()};
}
LORICA_KERNEL vec splat(float x) {
  return {_mm512_set1_ps(x)};
}
LORICA_KERNEL vec load(const float* from) {
  return {_mm512_loadu_ps(from)};
}
LORICA_KERNEL void store(float* to, vec a) {
  _mm512_storeu_ps(to, a.v);
}
LORICA_KERNEL vec operator+(vec a, vec b) {
  return {_mm512_add_ps(a.v, b.v)};
}
LORICA_KERNEL vec operator-(vec a, vec b) {
  return {_mm512_sub_ps(a.v, b.v)};
}
LORICA_KERNEL vec operator*(vec a, vec b) {
  return {_mm512_mul_ps(a.v, b.v)};
}
LORICA_KERNEL vec operator/(vec a, vec b) {
  return {_mm512_div_ps(a.v, b.v)};
}
/// a * b + c.
LORICA_KERNEL vec fma(vec a, vec b, vec c) {
  return {_mm512_fmadd_ps(a.v, b.v, c.v)};
}
/// a / b within two units of the last place, where 1 / b is a normal number: a guess, bettered once.
LORICA_KERNEL vec quotient(vec a, vec b) {
  const __m512 guess = _mm512_rcp14_ps(b.v);
  const __m512 rest = _mm512_fnmadd_ps(b.v, guess, _mm512_set1_ps(1.0f));
  return {_mm512_mul_ps(a.v, _mm512_fmadd_ps(guess, rest, guess))};
}
/// The larger of both; b when one is NaN.
LORICA_KERNEL vec larger(vec a, vec b) {
  return {_mm512_max_ps(a.v, b.v)};
}
/// Whether any lane of a is above that of b; not where one is NaN.
LORICA_KERNEL bool any_above(vec a, vec b) {
  return _mm512_cmp_ps_mask(a.v, b.v, _CMP_GT_OQ) != 0;
}
/// Lanes from `n` on become `other`.
LORICA_KERNEL vec first_lanes(vec a, std::uint32_t n, float other) {
  auto keep = static_cast<__mmask16>((1u << n) - 1u);
  return {_mm512_mask_mov_ps(_mm512_set1_ps(other), keep, a.v)};
}
/// Sum over the lanes as a tree: halves are added until one lane is left.
LORICA_KERNEL float sum(vec a) {
  __m256 h = _mm256_add_ps(_mm512_castps512_ps256(a.v), _mm512_extractf32x8_ps(a.v, 1));
  __m128 q = _mm_add_ps(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1));
  q = _mm_add_ps(q, _mm_movehl_ps(q, q));
  return _mm_cvtss_f32(_mm_add_ss(q, _mm_shuffle_ps(q, q, 1)));
}
LORICA_KERNEL float peak(vec a) {
  return _mm512_reduce_max_ps(a.v);
}
/// a * 2^n, where t = n + 1.5 * 2^23 and the result is a normal number.
LORICA_KERNEL vec add_to_exponent(vec a, vec t) {
  const __m512i n = _mm512_slli_epi32(_mm512_castps_si512(t.v), 23);
  return {_mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(a.v), n))};
}
LORICA_KERNEL vec load_bfloats(const std::uint16_t* from) {
  __m512i wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)));
  return {_mm512_castsi512_ps(_mm512_slli_epi32(wide, 16))};
}
/// Rounds to nearest, ties to even.
LORICA_KERNEL void store_bfloats(std::uint16_t* to, vec a) {
  auto narrow = _mm512_cvtneps_pbh(a.v);
  __builtin_memcpy(to, &narrow, sizeof narrow);
}
LORICA_KERNEL pairs load_pairs(const std::uint16_t* from) {
  return {_mm512_loadu_si512(from)};
}
LORICA_KERNEL pairs splat_pair(const std::uint16_t* from) {
  std::int32_t both = 0;
  __builtin_memcpy(&both, from, sizeof both);
  return {_mm512_set1_epi32(both)};
}
/// The odd elements become zero.
LORICA_KERNEL pairs even_of(pairs a) {
  return {_mm512_and_si512(a.v, _mm512_set1_epi32(0xffff))};
}
/// c + a.even * b.even + a.odd * b.odd.
LORICA_KERNEL vec dot(pairs a, pairs b, vec c) {
  return {_mm512_dpbf16_ps(c.v, (__m512bh)a.v, (__m512bh)b.v)};
}

/// c + w.even * sum of `even` + w.odd * sum of `odd`. A sum's upper half is all of it.
LORICA_KERNEL vec dot_sums(pairs w, const input_group& even, const input_group& odd, vec c) {
  std::int32_t upper = 0, lower = 0;
  constexpr std::size_t at = sizeof even.codes + sizeof even.scale;
  __builtin_memcpy(&upper, reinterpret_cast<const std::byte*>(&odd) + at, sizeof upper);
  __builtin_memcpy(&lower, reinterpret_cast<const std::byte*>(&even) + at + 2, sizeof lower);
  // upper | (0xffff & lower), with both out of memory.
  const __m512i both = _mm512_ternarylogic_epi32(_mm512_set1_epi32(upper), _mm512_set1_epi32(0xffff),
                                                 _mm512_set1_epi32(lower), 0xf8);
  return dot(w, pairs{both}, c);
}

/// Sixteen integers.
struct ints {
  __m512i v;
};

/// Four codes for each of sixteen outputs.
struct codes {
  __m512i v;
};

/// Four codes of an input, for every output.
struct quad {
  __m512i v;
};

LORICA_KERNEL ints splat_int(std::int32_t x) {
  return {_mm512_set1_epi32(x)};
}
LORICA_KERNEL vec to_floats(ints a) {
  return {_mm512_cvtepi32_ps(a.v)};
}
LORICA_KERNEL vec load_halves(const std::uint16_t* from) {
  return {_mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)))};
}
LORICA_KERNEL codes load_codes(const std::uint8_t* from) {
  return {_mm512_loadu_si512(from)};
}
LORICA_KERNEL codes low_halves(codes c) {
  return {_mm512_and_si512(c.v, _mm512_set1_epi8(15))};
}
LORICA_KERNEL codes high_halves(codes c) {
  return {_mm512_and_si512(_mm512_srli_epi16(c.v, 4), _mm512_set1_epi8(15))};
}
LORICA_KERNEL quad splat_quad(const std::int8_t* from) {
  std::int32_t all = 0;
  __builtin_memcpy(&all, from, sizeof all);
  return {_mm512_set1_epi32(all)};
}
/// Sums of products of codes below 16, over one group at most.
struct half_sums {
  __m512i v;
};
LORICA_KERNEL half_sums begin_halves(ints start) {
  return {start.v};
}
/// sum + the four products of each output.
LORICA_KERNEL half_sums dot_halves(codes c, quad x, half_sums sum) {
  return {_mm512_dpbusd_epi32(sum.v, c.v, x.v)};
}
/// What the sums come to, from the same start.
LORICA_KERNEL ints end_halves(half_sums sum, ints) {
  return {sum.v};
}
/// Together with `start_of_bytes`: sums of (code - 128) x.
LORICA_KERNEL ints dot_bytes(codes c, quad x, ints sum) {
  return {_mm512_dpbusd_epi32(sum.v, c.v, x.v)};
}
LORICA_KERNEL ints add_sixteenfold(ints sum, ints a) {
  return {_mm512_add_epi32(sum.v, _mm512_slli_epi32(a.v, 4))};
}
/// 16 times the four products of each output; codes below 16.
LORICA_KERNEL ints dot_halves_sixteenfold(codes c, quad x, ints sum) {
  return {_mm512_dpbusd_epi32(sum.v, _mm512_slli_epi16(c.v, 4), x.v)};
}
LORICA_KERNEL ints start_of_bytes(const input_group& x) {
  return splat_int(x.minus_128);
}
/// The largest |x|; not a number where there is one.
LORICA_KERNEL float largest_size(vec low, vec high) {
  const __m512i sign = _mm512_set1_epi32(0x7fffffff);
  const __m512i a = _mm512_and_si512(_mm512_castps_si512(low.v), sign);
  const __m512i b = _mm512_and_si512(_mm512_castps_si512(high.v), sign);
  const std::int32_t bits = _mm512_reduce_max_epi32(_mm512_max_epi32(a, b));
  float out = 0;
  __builtin_memcpy(&out, &bits, sizeof out);
  return out;
}
/// Rounds to nearest, ties to even; the sum of what was stored.
LORICA_KERNEL int store_codes(std::int8_t* to, vec low, vec high) {
  const __m128i a = _mm512_cvtsepi32_epi8(_mm512_cvtps_epi32(low.v));
  const __m128i b = _mm512_cvtsepi32_epi8(_mm512_cvtps_epi32(high.v));
  const __m256i all = _mm256_inserti128_si256(_mm256_castsi128_si256(a), b, 1);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), all);
  const __m256i sums = _mm256_dpbusd_epi32(_mm256_setzero_si256(), _mm256_set1_epi8(1), all);
  __m128i q = _mm_add_epi32(_mm256_castsi256_si128(sums), _mm256_extracti128_si256(sums, 1));
  q = _mm_add_epi32(q, _mm_shuffle_epi32(q, 0x4e));
  q = _mm_add_epi32(q, _mm_shuffle_epi32(q, 0xb1));
  return _mm_cvtsi128_si32(q);
}

/// The largest |x| of each of four groups, as bits; not a number where there is one.
LORICA_KERNEL ints4 largest_sizes(const vec (&low)[4], const vec (&high)[4]) {
  const __m512i sign = _mm512_set1_epi32(0x7fffffff);
  __m256i halves[4];
  for (int g = 0; g < 4; ++g) {
    const __m512i all = _mm512_max_epi32(_mm512_and_si512(_mm512_castps_si512(low[g].v), sign),
                                         _mm512_and_si512(_mm512_castps_si512(high[g].v), sign));
    halves[g] = _mm256_max_epi32(_mm512_castsi512_si256(all), _mm512_extracti64x4_epi64(all, 1));
  }
  return largest_of_four(halves);
}
/// As `store_codes` for four groups, `stride` bytes apart; the sum of each.
LORICA_KERNEL ints4 store_four_codes(std::int8_t* to, std::size_t stride, const vec (&low)[4],
                                     const vec (&high)[4]) {
  // Packing goes by quarters of 128 bits; this takes the two groups apart again.
  const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  __m256i sums[4];
  for (int g = 0; g < 4; g += 2) {
    __m512i words[2];
    for (int i = 0; i < 2; ++i)
      words[i] = _mm512_packs_epi32(_mm512_cvtps_epi32(low[g + i].v), _mm512_cvtps_epi32(high[g + i].v));
    const __m512i both = _mm512_permutexvar_epi32(order, _mm512_packs_epi16(words[0], words[1]));
    const __m512i added = _mm512_dpbusd_epi32(_mm512_setzero_si512(), _mm512_set1_epi8(1), both);
    auto* own = to + std::size_t(g) * stride;
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(own), _mm512_castsi512_si256(both));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(own + stride), _mm512_extracti64x4_epi64(both, 1));
    sums[g] = _mm512_castsi512_si256(added);
    sums[g + 1] = _mm512_extracti64x4_epi64(added, 1);
  }
  return sums_of_four(sums);
}

}  // namespace
}  // namespace lorica
