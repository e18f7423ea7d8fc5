#include "engine/log_sum_exp.hpp"

#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>

namespace lorica {
namespace {

// Eight independent lanes: the compiler turns them into vectors, and the order of the sum is the same
// everywhere.
constexpr std::size_t lanes = 8;

/// exp(x) for x <= 0 (Cephes expf: Cody-Waite reduction, degree 5), without a branch so that loops vectorise.
/// Keeps NaN.
inline float exp_of_negative(float x) noexcept {
  constexpr float lowest = -86.0f;
  auto clamped = x < lowest ? lowest : x;
  // Adding 1.5 * 2^23 rounds to an integer and leaves it in the low bits.
  auto shifted = clamped * 1.44269504088896341f + 12582912.0f;
  auto n = shifted - 12582912.0f;
  auto r = clamped - n * 0.693359375f + n * 2.12194440e-4f;
  auto p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  auto scale = std::bit_cast<float>((std::bit_cast<std::uint32_t>(shifted) << 23) + 0x3f800000u);
  return x < lowest ? 0.0f : p * scale;
}

}  // namespace

float peak_of(std::span<const float> logits) noexcept {
  constexpr auto least = -std::numeric_limits<float>::infinity();
  std::array<float, lanes> best;
  best.fill(least);
  std::size_t i = 0;
  for (; i + lanes <= logits.size(); i += lanes)
    for (std::size_t j = 0; j < lanes; ++j)
      best[j] = logits[i + j] > best[j] ? logits[i + j] : best[j];
  auto peak = least;
  for (; i < logits.size(); ++i)
    peak = logits[i] > peak ? logits[i] : peak;
  for (auto b : best)
    peak = b > peak ? b : peak;
  return peak;
}

double log_sum_exp(std::span<const float> logits) noexcept {
  auto peak = peak_of(logits);
  if (peak == -std::numeric_limits<float>::infinity()) {
    for (auto l : logits)
      if (std::isnan(l)) return std::numeric_limits<double>::quiet_NaN();
    return -std::numeric_limits<double>::infinity();
  }
  auto data = logits.data();
  std::array<double, lanes> sums{};
  std::size_t i = 0;
  for (; i + lanes <= logits.size(); i += lanes)
    for (std::size_t j = 0; j < lanes; ++j)
      sums[j] += static_cast<double>(exp_of_negative(data[i + j] - peak));
  double sum = 0;
  for (; i < logits.size(); ++i)
    sum += static_cast<double>(exp_of_negative(data[i] - peak));
  for (auto s : sums)
    sum += s;
  return static_cast<double>(peak) + std::log(sum);
}

std::vector<float> exp_weights(std::span<const float> logits, float peak, float temperature,
                               std::vector<float> memory) {
  memory.resize(logits.size());
  auto from = logits.data();
  auto to = memory.data();
  for (std::size_t i = 0; i < logits.size(); ++i)
    to[i] = exp_of_negative((from[i] - peak) / temperature);
  return memory;
}

}  // namespace lorica
