#include "cpu/lora_coding.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "cpu/bfloat.hpp"
#include "cpu/lora_codes.hpp"

namespace lorica {
namespace {

constexpr float most = 127;
constexpr int offset = 128;

/// The largest |x|; not a number where one of them is not finite.
float largest(std::span<const float> x) noexcept {
  float out = 0;
  bool finite = true;
  for (auto v : x) {
    out = std::max(out, std::abs(v));
    finite &= std::isfinite(v);
  }
  return finite ? out : std::numeric_limits<float>::quiet_NaN();
}

std::byte code_of(float x, float factor) noexcept {
  const float code = factor > 0 ? std::nearbyint(x * factor) : 0.0f;
  return static_cast<std::byte>(static_cast<int>(std::clamp(code, -most, most)) + offset);
}

/// 1 / scale; zero where there is nothing to divide.
float factor_of(float scale) noexcept {
  return scale > 1e-30f ? 1 / scale : 0.0f;
}

/// The least bfloat16 that is not below x: codes stay within 127.
std::uint16_t bfloat_above(float x) noexcept {
  auto out = to_bfloat(x);
  if (from_bfloat(out) < x) ++out;
  return out;
}

}  // namespace

void pack_coded_a(std::span<const float> a, std::uint32_t rank, std::uint32_t depth, std::uint32_t first,
                  std::byte* out, float* scales) noexcept {
  const auto cols = a.size() / rank;
  for (std::uint32_t r = 0; r < rank; ++r) {
    const auto row = a.subspan(r * cols, cols);
    const auto at = first + r;
    const float scale = largest(row) / most;
    const float factor = factor_of(scale);
    auto* lane = out + std::size_t{at / rank_lanes} * rank_lanes * depth + at % rank_lanes * 4;
    for (std::size_t k = 0; k < cols; ++k)
      lane[k / 4 * rank_lanes * 4 + k % 4] = code_of(row[k], factor);
    scales[at] = scale;
  }
}

void pack_coded_block(const float* const (&rows)[block_outputs], std::uint32_t rank, std::uint32_t padded,
                      std::byte* out) noexcept {
  auto* scales = out + std::size_t{block_outputs} * padded;
  std::memset(out, offset, std::size_t{block_outputs} * padded);
  for (std::uint32_t output = 0; output < block_outputs; ++output) {
    std::uint16_t scale = 0;
    if (rows[output]) {
      const std::span row(rows[output], rank);
      scale = bfloat_above(largest(row) / most);
      const float factor = factor_of(from_bfloat(scale));
      auto* lane = out + std::size_t{output / 16} * 16 * padded + output % 16 * 4;
      for (std::uint32_t k = 0; k < rank; ++k)
        lane[std::size_t{k / 4} * 64 + k % 4] = code_of(row[k], factor);
    }
    std::memcpy(scales + output * sizeof scale, &scale, sizeof scale);
  }
}

}  // namespace lorica
