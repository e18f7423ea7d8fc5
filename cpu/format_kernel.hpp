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

constexpr float round_by = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer

/// b^r for |r| at most half of log_b 2, as a polynomial of least relative error (2e-9): coefficients of
/// r^0, r^1, … for the base whose logarithm is `ln_b` times smaller than that of two.
struct power_series {
  static constexpr int terms = 7;
  float of[terms];

  constexpr explicit power_series(double ln_b) : of{} {
    constexpr double two_to[terms] = {
        1, 0.6931471825, 0.2402264625, 0.05550328642, 0.009618489072, 0.00133999309, 0.0001534581097};
    double scale = 1;
    for (int i = 0; i < terms; ++i, scale *= ln_b)
      of[i] = static_cast<float>(two_to[i] * scale);
  }
};
constexpr power_series powers_of_two(1.0);
constexpr power_series powers_of_e(1.44269504088896341);

/// b^r 2^n, where t = n + round_by.
LORICA_KERNEL vec power(const power_series& series, vec r, vec t) {
  vec p = splat(series.of[power_series::terms - 1]);
  for (int i = power_series::terms - 2; i >= 0; --i)
    p = fma(p, r, splat(series.of[i]));
  return add_to_exponent(p, t);
}

/// 2^x within 2 units of the last place, for x below 127; below -126 it stays 2^-126. NaN stays NaN.
LORICA_KERNEL vec power_of_two(vec x) {
  x = larger(splat(-126.0f), x);
  const vec t = x + splat(round_by);
  return power(powers_of_two, x - (t - splat(round_by)), t);
}

/// exp(x) within 2 units of the last place, for x below 88; below -87 it stays exp(-87). NaN stays NaN.
/// x = n ln 2 + r, with ln 2 in two parts, of which the first times n is exact.
LORICA_KERNEL vec exponential(vec x) {
  x = larger(splat(-87.0f), x);
  const vec t = fma(x, splat(1.44269504088896341f), splat(round_by));
  const vec n = t - splat(round_by);
  const vec r = fma(n, splat(2.12194440e-4f), fma(n, splat(-0.693359375f), x));
  return power(powers_of_e, r, t);
}

}  // namespace
}  // namespace lorica
