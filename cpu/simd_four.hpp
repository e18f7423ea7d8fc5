#pragma once

// What is found of a group of numbers, and of four groups side by side in four lanes: with AVX2, for
// simd_avx2.hpp and simd_avx512.hpp. Internal linkage: see there.

#include <immintrin.h>

namespace lorica {
namespace {

/// Sum of |code| of a group.
LORICA_KERNEL int size_of_codes(const std::int8_t* codes) {
  const __m256i all = _mm256_abs_epi8(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(codes)));
  const __m256i sums = _mm256_sad_epu8(all, _mm256_setzero_si256());
  const __m128i q = _mm_add_epi32(_mm256_castsi256_si128(sums), _mm256_extracti128_si256(sums, 1));
  return _mm_cvtsi128_si32(_mm_add_epi32(q, _mm_shuffle_epi32(q, 0x4e)));
}

template <class Join>
LORICA_KERNEL ints4 join_four(const __m256i (&of)[4], const Join& join) {
  const __m256i a = join(_mm256_unpacklo_epi32(of[0], of[1]), _mm256_unpackhi_epi32(of[0], of[1]));
  const __m256i b = join(_mm256_unpacklo_epi32(of[2], of[3]), _mm256_unpackhi_epi32(of[2], of[3]));
  const __m256i all = join(_mm256_unpacklo_epi64(a, b), _mm256_unpackhi_epi64(a, b));
  const __m256i swapped = _mm256_permute2x128_si256(all, all, 1);
  return (ints4)_mm256_castsi256_si128(join(all, swapped));
}

/// The largest of each.
LORICA_KERNEL ints4 largest_of_four(const __m256i (&of)[4]) {
  return join_four(
      of, [](__m256i a, __m256i b) __attribute__((always_inline)) { return _mm256_max_epi32(a, b); });
}

/// The sum of each.
LORICA_KERNEL ints4 sums_of_four(const __m256i (&of)[4]) {
  return join_four(
      of, [](__m256i a, __m256i b) __attribute__((always_inline)) { return _mm256_add_epi32(a, b); });
}

}  // namespace
}  // namespace lorica
