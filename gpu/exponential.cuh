#pragma once

// exp for sampling, with the bits of `engine/log_sum_exp`: products and sums are rounded one by one.

#include "gpu/lanes.cuh"

namespace lorica::gpu {

/// exp(x) for x <= 0, 0 below -86 (Cephes expf: Cody-Waite reduction, degree 5). What is no number stays
/// none.
__device__ inline float exp_of_negative(float x) {
  constexpr float lowest = -86.0f;
  const float clamped = x < lowest ? lowest : x;
  // Adding 1.5 * 2^23 rounds to an integer and leaves it in the low bits.
  const float shifted = __fadd_rn(__fmul_rn(clamped, 1.44269504088896341f), 12582912.0f);
  const float n = __fadd_rn(shifted, -12582912.0f);
  const float r = __fadd_rn(__fadd_rn(clamped, -__fmul_rn(n, 0.693359375f)), __fmul_rn(n, 2.12194440e-4f));
  float p = 1.9875691500e-4f;
  p = __fadd_rn(__fmul_rn(p, r), 1.3981999507e-3f);
  p = __fadd_rn(__fmul_rn(p, r), 8.3334519073e-3f);
  p = __fadd_rn(__fmul_rn(p, r), 4.1665795894e-2f);
  p = __fadd_rn(__fmul_rn(p, r), 1.6666665459e-1f);
  p = __fadd_rn(__fmul_rn(p, r), 5.0000001201e-1f);
  p = __fadd_rn(__fadd_rn(__fmul_rn(__fmul_rn(p, r), r), r), 1.0f);
  const float scale = __uint_as_float((__float_as_uint(shifted) << 23) + 0x3f800000u);
  return x < lowest ? 0.0f : __fmul_rn(p, scale);
}

}  // namespace lorica::gpu
