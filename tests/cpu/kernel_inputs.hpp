#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <random>
#include <vector>

#include "cpu/bfloat.hpp"
#include "cpu/kernels.hpp"
#include "cpu/packed_weights.hpp"
#include "cpu/quantised_weights.hpp"
#include "files/dequantise.hpp"

namespace lorica::testing {

/// Values as a kernel stores them, float32 or bfloat16.
class elements {
 public:
  elements(cpu_dtype dtype, std::size_t count) : dtype_(dtype), bytes_(count * element_bytes(dtype)) {}

  std::byte* at(std::size_t i) { return bytes_.data() + i * element_bytes(dtype_); }

  void set(std::size_t i, float x) {
    auto narrow = to_bfloat(x);
    if (dtype_ == cpu_dtype::float32)
      std::memcpy(at(i), &x, sizeof x);
    else
      std::memcpy(at(i), &narrow, sizeof narrow);
  }

  float value(std::size_t i) {
    float wide = 0;
    std::uint16_t narrow = 0;
    if (dtype_ == cpu_dtype::float32) {
      std::memcpy(&wide, at(i), sizeof wide);
      return wide;
    }
    std::memcpy(&narrow, at(i), sizeof narrow);
    return bfloat_to_float(narrow);
  }

  bool operator==(const elements& other) const { return bytes_ == other.bytes_; }

 private:
  cpu_dtype dtype_;
  std::vector<std::byte> bytes_;
};

/// Numbers in [-1, 1), that bfloat16 holds exactly, so that both formats are given the same.
inline std::vector<float> some_numbers(std::size_t count, std::uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<float> out(count);
  for (auto& x : out)
    x = bfloat_to_float(to_bfloat(static_cast<float>(random()) / 2147483648.0f - 1.0f));
  return out;
}

inline elements stored(cpu_dtype dtype, const std::vector<float>& values) {
  elements out(dtype, values.size());
  for (std::size_t i = 0; i < values.size(); ++i)
    out.set(i, values[i]);
  return out;
}

/// How far apart results may be: sums differ in rounding only, stored bfloat16 by one unit of its last place.
inline double tolerance(cpu_dtype stored_as, double size) {
  return (stored_as == cpu_dtype::float32 ? 4e-6 : 8e-3) * (1 + size);
}

inline std::vector<isa> other_instructions() {
  std::vector<isa> out = {isa::portable};
  for (auto i : {isa::avx2, isa::avx_vnni, isa::avx512})
    if (runs_here(i)) out.push_back(i);
  return out;
}

/// What is added to every weight of a group, as it is packed.
inline float shift_of(weight_format format, const weight_group& w) {
  if (format != weight_format::q4_1) return 0;
  return from_bfloat(to_bfloat(half_to_float(w.minimum) + 8 * half_to_float(w.scale)));
}

/// By how much a product differs from the sum of products, because the sum of the input's codes is rounded.
inline double rounding_of_sum(weight_format format, const weight_group& w, const input_group& x) {
  const double sum = static_cast<double>(x.scale) * x.minus_8 / -8;
  return static_cast<double>(shift_of(format, w)) * (static_cast<double>(x.scaled_sum) - sum);
}

}  // namespace lorica::testing
