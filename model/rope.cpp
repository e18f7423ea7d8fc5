#include "model/rope.hpp"

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

double scaled(const rope_config& rope, double frequency) {
  switch (rope.kind) {
    case rope_config::scaling::linear: return frequency / rope.factor;
    case rope_config::scaling::llama3: return stretch_llama3(rope, frequency);
    default: return frequency;
  }
}

}  // namespace

std::vector<float> rope_frequencies(const rope_config& rope, std::uint32_t head_dim) {
  std::vector<float> out(head_dim / 2);
  for (std::size_t k = 0; k < out.size(); ++k) {
    double frequency = std::pow(rope.theta, -2.0 * static_cast<double>(k) / head_dim);
    frequency = scaled(rope, frequency);
    if (!rope.divisors.empty()) frequency /= static_cast<double>(rope.divisors[k]);
    out[k] = static_cast<float>(frequency);
  }
  return out;
}

}  // namespace lorica
