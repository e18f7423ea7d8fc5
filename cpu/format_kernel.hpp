#pragma once

// The two formats of weights and inputs, in terms of a simd_*.hpp that was included before. A further format
// of weights (int8, the file's own four bits) is one more struct of this shape. Internal linkage: see there.

namespace lorica {
namespace {

struct float32_format {
  using element = float;
  using weights = vec;
  static constexpr std::uint32_t depth_step = 1;  // k per multiply-add of one lane
  static constexpr std::uint32_t row_step = 16;   // k per load_row

  static LORICA_KERNEL vec load_weights(const float* from) { return load(from); }
  static LORICA_KERNEL vec splat_input(const float* from) { return splat(*from); }
  static LORICA_KERNEL vec step(vec w, vec x, vec sum) { return fma(w, x, sum); }
  static LORICA_KERNEL vec first_of_step(vec w) { return w; }
  static LORICA_KERNEL vec load_values(const float* from) { return load(from); }
  static LORICA_KERNEL void store_values(float* to, vec a) { store(to, a); }
};

struct bfloat16_format {
  using element = std::uint16_t;
  using weights = pairs;
  static constexpr std::uint32_t depth_step = 2;
  static constexpr std::uint32_t row_step = 32;

  static LORICA_KERNEL pairs load_weights(const std::uint16_t* from) { return load_pairs(from); }
  static LORICA_KERNEL pairs splat_input(const std::uint16_t* from) { return splat_pair(from); }
  static LORICA_KERNEL vec step(pairs w, pairs x, vec sum) { return dot(w, x, sum); }
  static LORICA_KERNEL pairs first_of_step(pairs w) { return even_of(w); }  // zero for what is not there yet
  static LORICA_KERNEL vec load_values(const std::uint16_t* from) { return load_bfloats(from); }
  static LORICA_KERNEL void store_values(std::uint16_t* to, vec a) { store_bfloats(to, a); }
};

/// exp(x) within 2 units of the last place; below -87 it stays exp(-87). NaN stays NaN.
/// x = n ln 2 + r, |r| <= ln 2 / 2; exp(r) by its polynomial (Cephes).
LORICA_KERNEL vec exponential(vec x) {
  const vec magic = splat(12582912.0f);  // 1.5 * 2^23: adding it rounds to an integer
  x = larger(splat(-87.0f), x);
  const vec t = fma(x, splat(1.44269504088896341f), magic);
  const vec n = t - magic;
  vec r = fma(n, splat(-0.693359375f), x);
  r = fma(n, splat(2.12194440e-4f), r);
  vec p = splat(1.9875691500e-4f);
  p = fma(p, r, splat(1.3981999507e-3f));
  p = fma(p, r, splat(8.3334519073e-3f));
  p = fma(p, r, splat(4.1665795894e-2f));
  p = fma(p, r, splat(1.6666665459e-1f));
  p = fma(p, r, splat(5.0000001201e-1f));
  p = fma(p, r * r, r + splat(1.0f));
  return p * power_of_two(t);
}

}  // namespace
}  // namespace lorica
