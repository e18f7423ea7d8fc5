#include "model/rope.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace lorica {
namespace {

// Long waves are stretched by `factor`, short ones kept, those between blended.
double stretch_llama3(const rope_config& rope, double frequency) {
  const auto original = static_cast<double>(rope.original_max_positions);
  const double wavelength = 2 * std::numbers::pi / frequency;
  if (wavelength > original / rope.low_freq_factor) return frequency / rope.factor;
  if (wavelength < original / rope.high_freq_factor) return frequency;
  const double smooth =
      (original / wavelength - rope.low_freq_factor) / (rope.high_freq_factor - rope.low_freq_factor);
  return (1 - smooth) * frequency / rope.factor + smooth * frequency;
}

/// Where the ramp of YaRN begins and ends, in pairs of dimensions.
struct yarn_range {
  double low = 0;
  double high = 0;
};

yarn_range range_of(const rope_config& rope, std::uint32_t rotary_dim) {
  const double d = rotary_dim;
  auto pair_with = [&](double turns) {
    return d * std::log(rope.original_max_positions / (turns * 2 * std::numbers::pi)) /
           (2 * std::log(rope.theta));
  };
  yarn_range out{pair_with(rope.beta_fast), pair_with(rope.beta_slow)};
  if (rope.truncate) out = {std::floor(out.low), std::ceil(out.high)};
  out = {std::max(out.low, 0.0), std::min(out.high, d - 1)};
  if (out.low == out.high) out.high += 0.001;
  return out;
}

// Pairs that turn often are kept, those that turn less than once are stretched, with a ramp between.
double stretch_yarn(const rope_config& rope, const yarn_range& range, std::size_t k, double frequency) {
  const double ramp = std::clamp((static_cast<double>(k) - range.low) / (range.high - range.low), 0.0, 1.0);
  return frequency / rope.factor * ramp + frequency * (1 - ramp);
}

}  // namespace

double yarn_attention_factor(double factor, double mscale) noexcept {
  return factor <= 1 ? 1 : 0.1 * mscale * std::log(factor) + 1;
}

std::vector<float> rope_frequencies(const rope_config& rope, std::uint32_t rotary_dim,
                                    std::uint32_t positions) {
  std::vector<float> out(rotary_dim / 2);
  const auto& factors = positions > rope.original_max_positions ? rope.long_factor : rope.short_factor;
  const auto range = rope.kind == rope_config::scaling::yarn ? range_of(rope, rotary_dim) : yarn_range{};
  for (std::size_t k = 0; k < out.size(); ++k) {
    double frequency = std::pow(rope.theta, -2.0 * static_cast<double>(k) / rotary_dim);
    switch (rope.kind) {
      case rope_config::scaling::none: break;
      case rope_config::scaling::linear: frequency /= rope.factor; break;
      case rope_config::scaling::llama3: frequency = stretch_llama3(rope, frequency); break;
      case rope_config::scaling::yarn: frequency = stretch_yarn(rope, range, k, frequency); break;
      case rope_config::scaling::longrope: frequency /= static_cast<double>(factors[k]); break;
    }
    if (!rope.divisors.empty()) frequency /= static_cast<double>(rope.divisors[k]);
    out[k] = static_cast<float>(frequency);
  }
  return out;
}

}  // namespace lorica
