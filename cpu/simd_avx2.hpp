#pragma once

// Sixteen float lanes as two registers of AVX2 with FMA. Included by kernels_avx2.cpp only; everything has
// internal linkage, so that no other translation unit is given this one's instructions.

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#define LORICA_KERNEL __attribute__((always_inline)) inline

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
/// The larger of both; b when one is NaN.
LORICA_KERNEL vec larger(vec a, vec b) {
  return {_mm256_max_ps(a.lo, b.lo), _mm256_max_ps(a.hi, b.hi)};
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
LORICA_KERNEL __m256 power_of_two(__m256 t) {
  __m256i n = _mm256_add_epi32(_mm256_castps_si256(t), _mm256_set1_epi32(127));
  return _mm256_castsi256_ps(_mm256_slli_epi32(n, 23));
}
/// 2^n, where t = n + 1.5 * 2^23.
LORICA_KERNEL vec power_of_two(vec t) {
  return {power_of_two(t.lo), power_of_two(t.hi)};
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

}  // namespace
}  // namespace lorica
