#include "cpu/elementwise.hpp"

#include <cmath>

namespace lorica {

void rms_norm(std::span<const float> x, std::span<const float> weight, float epsilon, std::span<float> out) {
  double sum = 0;
  for (float v : x)
    sum += static_cast<double>(v) * static_cast<double>(v);
  auto mean = static_cast<float>(sum / static_cast<double>(x.size()));
  float inverse = 1 / std::sqrt(mean + epsilon);
  for (std::size_t i = 0; i < x.size(); ++i)
    out[i] = weight[i] * (x[i] * inverse);
}

void rotate_heads(std::span<float> x, std::span<const float> cosines, std::span<const float> sines) {
  auto half = cosines.size();
  for (std::size_t head = 0; head + 2 * half <= x.size(); head += 2 * half)
    for (std::size_t k = 0; k < half; ++k) {
      float a = x[head + k], b = x[head + half + k];
      x[head + k] = a * cosines[k] - b * sines[k];
      x[head + half + k] = b * cosines[k] + a * sines[k];
    }
}

void swiglu(std::span<const float> gate, std::span<const float> up, std::span<float> out) {
  for (std::size_t i = 0; i < out.size(); ++i)
    out[i] = gate[i] / (1 + std::exp(-gate[i])) * up[i];
}

void add_to(std::span<float> x, std::span<const float> y) {
  for (std::size_t i = 0; i < y.size(); ++i)
    x[i] += y[i];
}

}  // namespace lorica
