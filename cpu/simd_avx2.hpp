#pragma once

// Sixteen float lanes as two registers of AVX2 with FMA and F16C. Included by kernels_avx2.cpp only;
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
  __m256 lo, hi;
};

/// Sixteen pairs of bfloat16, the even element in the low half.
struct pairs {
  __m256i lo, hi;
};

/// Accumulators that leave registers for the operands.
constexpr int accumulators = 6;
constexpr int largest_row_tile = 6;
constexpr int largest_quantised_tile = 4;

LORICA_KERNEL vec zero() {
  return {_mm256_setzero_ps(), _mm256_setzero_ps()};
}
LORICA_KERNEL vec splat(float x) {
  return {_mm256_set1_ps(x), _mm256_set1_ps(x)};
}
LORICA_KERNEL vec load(const float* from) {
  return {_mm256_loadu_ps(from), _mm256_loadu_ps(from + 8)};
}
LORICA_KERNEL void store(float* to, vec a) {
  _mm256_storeu_ps(to, a.lo);
  _mm256_storeu_ps(to + 8, a.hi);
}
LORICA_KERNEL vec operator+(vec a, vec b) {
  return {_mm256_add_ps(a.lo, b.lo), _mm256_add_ps(a.hi, b.hi)};
}
LORICA_KERNEL vec operator-(vec a, vec b) {
  return {_mm256_sub_ps(a.lo, b.lo), _mm256_sub_ps(a.hi, b.hi)};
}
LORICA_KERNEL vec operator*(vec a, vec b) {
  return {_mm256_mul_ps(a.lo, b.lo), _mm256_mul_ps(a.hi, b.hi)};
}
LORICA_KERNEL vec operator/(vec a, vec b) {
  return {_mm256_div_ps(a.lo, b.lo), _mm256_div_ps(a.hi, b.hi)};
}
/// a * b + c.
LORICA_KERNEL vec fma(vec a, vec b, vec c) {
  return {_mm256_fmadd_ps(a.lo, b.lo, c.lo), _mm256_fmadd_ps(a.hi, b.hi, c.hi)};
}
/// a / b, where 1 / b is a normal number.
LORICA_KERNEL vec quotient(vec a, vec b) {
  return a / b;
}
/// The larger of both; b when one is NaN.
LORICA_KERNEL vec larger(vec a, vec b) {
  return {_mm256_max_ps(a.lo, b.lo), _mm256_max_ps(a.hi, b.hi)};
}
/// Whether any lane of a is above that of b; not where one is NaN.
LORICA_KERNEL bool any_above(vec a, vec b) {
  return _mm256_movemask_ps(
             _mm256_or_ps(_mm256_cmp_ps(a.lo, b.lo, _CMP_GT_OQ), _mm256_cmp_ps(a.hi, b.hi, _CMP_GT_OQ))) != 0;
}
/// Lanes from `n` on become `other`.
LORICA_KERNEL vec first_lanes(vec a, std::uint32_t n, float other) {
  const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  const auto count = static_cast<int>(n);
  const __m256 fill = _mm256_set1_ps(other);
  const __m256i keep_lo = _mm256_cmpgt_epi32(_mm256_set1_epi32(count), lane);
  const __m256i keep_hi = _mm256_cmpgt_epi32(_mm256_set1_epi32(count - 8), lane);
  return {_mm256_blendv_ps(fill, a.lo, _mm256_castsi256_ps(keep_lo)),
          _mm256_blendv_ps(fill, a.hi, _mm256_castsi256_ps(keep_hi))};
}
/// Sum over the lanes as a tree: halves are added until one lane is left.
LORICA_KERNEL float sum(vec a) {
  __m256 h = _mm256_add_ps(a.lo, a.hi);
  __m128 q = _mm_add_ps(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1));
  q = _mm_add_ps(q, _mm_movehl_ps(q, q));
  return _mm_cvtss_f32(_mm_add_ss(q, _mm_shuffle_ps(q, q, 1)));
}
LORICA_KERNEL float peak(vec a) {
  __m256 h = _mm256_max_ps(a.lo, a.hi);
  __m128 q = _mm_max_ps(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1));
  q = _mm_max_ps(q, _mm_movehl_ps(q, q));
  return _mm_cvtss_f32(_mm_max_ss(q, _mm_shuffle_ps(q, q, 1)));
}
LORICA_KERNEL __m256 add_to_exponent(__m256 a, __m256 t) {
  const __m256i n = _mm256_slli_epi32(_mm256_castps_si256(t), 23);
  return _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(a), n));
}
/// a * 2^n, where t = n + 1.5 * 2^23 and the result is a normal number.
LORICA_KERNEL vec add_to_exponent(vec a, vec t) {
  return {add_to_exponent(a.lo, t.lo), add_to_exponent(a.hi, t.hi)};
}
LORICA_KERNEL __m256 widen(__m128i bfloats) {
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(bfloats), 16));
}
LORICA_KERNEL vec load_bfloats(const std::uint16_t* from) {
  return {widen(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from))),
          widen(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from + 8)))};
}
/// The upper halves, rounded to nearest, ties to even.
LORICA_KERNEL __m256i rounded_halves(__m256 a) {
  __m256i bits = _mm256_castps_si256(a);
  __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
  bits = _mm256_add_epi32(_mm256_add_epi32(bits, odd), _mm256_set1_epi32(0x7fff));
  return _mm256_srli_epi32(bits, 16);
}
/// Rounds to nearest, ties to even.
LORICA_KERNEL void store_bfloats(std::uint16_t* to, vec a) {
  __m256i packed = _mm256_packus_epi32(rounded_halves(a.lo), rounded_halves(a.hi));
  packed = _mm256_permute4x64_epi64(packed, 0xd8);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), packed);
}
LORICA_KERNEL pairs load_pairs(const std::uint16_t* from) {
  auto* at = reinterpret_cast<const __m256i*>(from);
  return {_mm256_loadu_si256(at), _mm256_loadu_si256(at + 1)};
}
LORICA_KERNEL pairs splat_pair(const std::uint16_t* from) {
  std::int32_t both = 0;
  __builtin_memcpy(&both, from, sizeof both);
  return {_mm256_set1_epi32(both), _mm256_set1_epi32(both)};
}
/// The odd elements become zero.
LORICA_KERNEL pairs even_of(pairs a) {
  const __m256i lower = _mm256_set1_epi32(0xffff);
  return {_mm256_and_si256(a.lo, lower), _mm256_and_si256(a.hi, lower)};
}
LORICA_KERNEL __m256 even(__m256i p) {
  return _mm256_castsi256_ps(_mm256_slli_epi32(p, 16));
}
LORICA_KERNEL __m256 odd(__m256i p) {
  return _mm256_castsi256_ps(_mm256_and_si256(p, _mm256_set1_epi32(static_cast<int>(0xffff0000u))));
}
LORICA_KERNEL __m256 dot(__m256i a, __m256i b, __m256 c) {
  return _mm256_fmadd_ps(even(a), even(b), _mm256_fmadd_ps(odd(a), odd(b), c));
}
/// c + a.even * b.even + a.odd * b.odd.
LORICA_KERNEL vec dot(pairs a, pairs b, vec c) {
  return {dot(a.lo, b.lo, c.lo), dot(a.hi, b.hi, c.hi)};
}

/// c + w.even * sum of `even` + w.odd * sum of `odd`.
LORICA_KERNEL vec dot_sums(pairs w, const input_group& even, const input_group& odd, vec c) {
  const __m256i upper = _mm256_set1_epi32(static_cast<std::int32_t>(0xffff0000u));
  const vec first = {_mm256_castsi256_ps(_mm256_slli_epi32(w.lo, 16)),
                     _mm256_castsi256_ps(_mm256_slli_epi32(w.hi, 16))};
  const vec second = {_mm256_castsi256_ps(_mm256_and_si256(w.lo, upper)),
                      _mm256_castsi256_ps(_mm256_and_si256(w.hi, upper))};
  return fma(second, splat(odd.scaled_sum), fma(first, splat(even.scaled_sum), c));
}

/// Sixteen integers.
struct ints {
  __m256i lo, hi;
};

/// Four codes for each of sixteen outputs.
struct codes {
  __m256i lo, hi;
};

/// Four codes of an input, for every output.
struct quad {
  __m256i v;
};

LORICA_KERNEL ints splat_int(std::int32_t x) {
  return {_mm256_set1_epi32(x), _mm256_set1_epi32(x)};
}
LORICA_KERNEL vec to_floats(ints a) {
  return {_mm256_cvtepi32_ps(a.lo), _mm256_cvtepi32_ps(a.hi)};
}
LORICA_KERNEL vec load_halves(const std::uint16_t* from) {
  const auto* at = reinterpret_cast<const __m128i*>(from);
  return {_mm256_cvtph_ps(_mm_loadu_si128(at)), _mm256_cvtph_ps(_mm_loadu_si128(at + 1))};
}
LORICA_KERNEL codes load_codes(const std::uint8_t* from) {
  const auto* at = reinterpret_cast<const __m256i*>(from);
  return {_mm256_loadu_si256(at), _mm256_loadu_si256(at + 1)};
}
LORICA_KERNEL codes low_halves(codes c) {
  const __m256i low = _mm256_set1_epi8(15);
  return {_mm256_and_si256(c.lo, low), _mm256_and_si256(c.hi, low)};
}
LORICA_KERNEL codes high_halves(codes c) {
  return low_halves({_mm256_srli_epi16(c.lo, 4), _mm256_srli_epi16(c.hi, 4)});
}
LORICA_KERNEL quad splat_quad(const std::int8_t* from) {
  std::int32_t all = 0;
  __builtin_memcpy(&all, from, sizeof all);
  return {_mm256_set1_epi32(all)};
}
#if defined(LORICA_AVX_VNNI)
LORICA_KERNEL __m256i dot_quads(__m256i c, __m256i x, __m256i sum) {
  return _mm256_dpbusd_avx_epi32(sum, c, x);
}
LORICA_KERNEL __m256i dot_shifted(__m256i c, __m256i x, __m256i sum) {
  return dot_quads(c, x, sum);
}
LORICA_KERNEL __m256i begin_half(__m256i start) {
  return start;
}
LORICA_KERNEL __m256i dot_half(__m256i c, __m256i x, __m256i sum) {
  return dot_quads(c, x, sum);
}
LORICA_KERNEL __m256i end_half(__m256i sum, __m256i) {
  return sum;
}
/// Together with `dot_bytes`: sums of (code - 128) x.
LORICA_KERNEL ints start_of_bytes(const input_group& x) {
  return splat_int(x.minus_128);
}
#else
/// Pairs of products fit 16 bits where the codes are below 128.
LORICA_KERNEL __m256i dot_quads(__m256i c, __m256i x, __m256i sum) {
  return _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_maddubs_epi16(c, x), _mm256_set1_epi16(1)));
}
/// The same of code - 128: its size times the input with its sign.
LORICA_KERNEL __m256i dot_shifted(__m256i c, __m256i x, __m256i sum) {
  const __m256i w = _mm256_xor_si256(c, _mm256_set1_epi8(-128));
  return dot_quads(_mm256_abs_epi8(w), _mm256_sign_epi8(x, w), sum);
}
// Sums of pairs of products stay in 16 bits for a whole group: 16 * 15 * 127 is below 2^15.
LORICA_KERNEL __m256i begin_half(__m256i) {
  return _mm256_setzero_si256();
}
LORICA_KERNEL __m256i dot_half(__m256i c, __m256i x, __m256i sum) {
  sum = _mm256_add_epi16(sum, _mm256_maddubs_epi16(c, x));
  __asm__("" : "+x"(sum));  // now: the compiler would keep all products of a group and add them at its end
  return sum;
}
LORICA_KERNEL __m256i end_half(__m256i sum, __m256i start) {
  return _mm256_add_epi32(start, _mm256_madd_epi16(sum, _mm256_set1_epi16(1)));
}
/// Together with `dot_bytes`: sums of (code - 128) x.
LORICA_KERNEL ints start_of_bytes(const input_group&) {
  return splat_int(0);
}
#endif
/// Sums of products of codes below 16, over one group at most.
struct half_sums {
  __m256i lo, hi;
};
LORICA_KERNEL half_sums begin_halves(ints start) {
  return {begin_half(start.lo), begin_half(start.hi)};
}
/// sum + the four products of each output.
LORICA_KERNEL half_sums dot_halves(codes c, quad x, half_sums sum) {
  return {dot_half(c.lo, x.v, sum.lo), dot_half(c.hi, x.v, sum.hi)};
}
/// What the sums come to, from the same start.
LORICA_KERNEL ints end_halves(half_sums sum, ints start) {
  return {end_half(sum.lo, start.lo), end_half(sum.hi, start.hi)};
}
LORICA_KERNEL ints add_sixteenfold(ints sum, ints a) {
  return {_mm256_add_epi32(sum.lo, _mm256_slli_epi32(a.lo, 4)),
          _mm256_add_epi32(sum.hi, _mm256_slli_epi32(a.hi, 4))};
}
/// 16 times the four products of each output; codes below 16.
LORICA_KERNEL ints dot_halves_sixteenfold(codes c, quad x, ints sum) {
  const __m256i none = _mm256_setzero_si256();
  return add_sixteenfold(sum, {dot_quads(c.lo, x.v, none), dot_quads(c.hi, x.v, none)});
}
LORICA_KERNEL ints dot_bytes(codes c, quad x, ints sum) {
  return {dot_shifted(c.lo, x.v, sum.lo), dot_shifted(c.hi, x.v, sum.hi)};
}
LORICA_KERNEL __m256i sizes(__m256 a) {
  return _mm256_and_si256(_mm256_castps_si256(a), _mm256_set1_epi32(0x7fffffff));
}
LORICA_KERNEL __m256i half_of_sizes(vec low, vec high) {
  return _mm256_max_epi32(_mm256_max_epi32(sizes(low.lo), sizes(low.hi)),
                          _mm256_max_epi32(sizes(high.lo), sizes(high.hi)));
}
/// The largest |x|; not a number where there is one.
LORICA_KERNEL float largest_size(vec low, vec high) {
  const __m256i h = half_of_sizes(low, high);
  __m128i q = _mm_max_epi32(_mm256_castsi256_si128(h), _mm256_extracti128_si256(h, 1));
  q = _mm_max_epi32(q, _mm_shuffle_epi32(q, 0x4e));
  q = _mm_max_epi32(q, _mm_shuffle_epi32(q, 0xb1));
  return _mm_cvtss_f32(_mm_castsi128_ps(q));
}
/// The largest |x| of each of four groups, as bits; not a number where there is one.
LORICA_KERNEL ints4 largest_sizes(const vec (&low)[4], const vec (&high)[4]) {
  __m256i halves[4];
  for (int g = 0; g < 4; ++g)
    halves[g] = half_of_sizes(low[g], high[g]);
  return largest_of_four(halves);
}
/// Rounds to nearest, ties to even; eight sums of what was stored.
LORICA_KERNEL __m256i store_codes_and_sums(std::int8_t* to, vec low, vec high) {
  const __m256i a = _mm256_packs_epi32(_mm256_cvtps_epi32(low.lo), _mm256_cvtps_epi32(low.hi));
  const __m256i b = _mm256_packs_epi32(_mm256_cvtps_epi32(high.lo), _mm256_cvtps_epi32(high.hi));
  // Both packings go by halves of 128 bits.
  const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
  const __m256i all = _mm256_permutevar8x32_epi32(_mm256_packs_epi16(a, b), order);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), all);
  return _mm256_madd_epi16(_mm256_maddubs_epi16(_mm256_set1_epi8(1), all), _mm256_set1_epi16(1));
}
/// Rounds to nearest, ties to even; the sum of what was stored.
LORICA_KERNEL int store_codes(std::int8_t* to, vec low, vec high) {
  const __m256i sums = store_codes_and_sums(to, low, high);
  __m128i q = _mm_add_epi32(_mm256_castsi256_si128(sums), _mm256_extracti128_si256(sums, 1));
  q = _mm_add_epi32(q, _mm_shuffle_epi32(q, 0x4e));
  q = _mm_add_epi32(q, _mm_shuffle_epi32(q, 0xb1));
  return _mm_cvtsi128_si32(q);
}
/// As `store_codes` for four groups, `stride` bytes apart; the sum of each.
LORICA_KERNEL ints4 store_four_codes(std::int8_t* to, std::size_t stride, const vec (&low)[4],
                                     const vec (&high)[4]) {
  __m256i sums[4];
  for (int g = 0; g < 4; ++g)
    sums[g] = store_codes_and_sums(to + std::size_t(g) * stride, low[g], high[g]);
  return sums_of_four(sums);
}

}  // namespace
}  // namespace lorica
