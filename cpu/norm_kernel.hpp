#pragma once

// Body of norm.hpp for one set of instructions; included after format_kernel.hpp.

namespace lorica {
namespace {

/// 1 / sqrt(mean(x²) + ε) in every lane.
LORICA_KERNEL vec norm_factor(const float* x, std::uint32_t width, std::uint32_t padded, float epsilon) {
  vec squares = zero();
  for (std::uint32_t k = 0; k < padded; k += 16)
    squares = fma(load(x + k), load(x + k), squares);
  const float mean = sum(squares) / static_cast<float>(width);
  return splat(1.0f / __builtin_sqrtf(mean + epsilon));
}

template <class Format>
void norm(const norm_args& a) {
  const vec factor = norm_factor(a.x, a.width, a.padded, a.epsilon);
  auto* y = static_cast<typename Format::element*>(a.y);
  const auto values = [&](std::uint32_t k, vec & low, vec & high) __attribute__((always_inline)) {
    low = load(a.x + k) * factor * load(a.weight + k);
    high = load(a.x + k + 16) * factor * load(a.weight + k + 16);
  };
  for (std::uint32_t k = 0; k < a.padded; k += depth_multiple) {
    vec low, high;
    values(k, low, high);
    if (y) {
      Format::store_values(y + k, low);
      Format::store_values(y + k + 16, high);
    }
    if (a.groups) quantise_group(low, high, a.groups + k / depth_multiple);
  }
  if (a.groups && a.high) keep_apart(a.groups, a.padded, a.high, values);
}

void norm_add(const norm_args& a) {
  const vec factor = norm_factor(a.x, a.width, a.padded, a.epsilon);
  auto* y = static_cast<float*>(a.y);
  for (std::uint32_t k = 0; k < a.padded; k += 16)
    store(y + k, load(y + k) + load(a.x + k) * factor * load(a.weight + k));
}

}  // namespace
}  // namespace lorica
