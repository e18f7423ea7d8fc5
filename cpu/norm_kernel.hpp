#pragma once

// Body of norm.hpp for one set of instructions; included after format_kernel.hpp.

namespace lorica {
namespace {

/// 1 / sqrt(mean(x²) + ε) in every lane.
LORICA_KERNEL vec norm_factor(const float* x, std::uint32_t width, std::uint32_t padded, float epsilon) {
  constexpr std::uint32_t chains = 4;
  vec squares[chains] = {zero(), zero(), zero(), zero()};
  std::uint32_t k = 0;
  for (; k + 16 * chains <= padded; k += 16 * chains)
    for (std::uint32_t i = 0; i < chains; ++i)
      squares[i] = fma(load(x + k + 16 * i), load(x + k + 16 * i), squares[i]);
  for (; k < padded; k += 16)
    squares[0] = fma(load(x + k), load(x + k), squares[0]);
  const float mean = sum((squares[0] + squares[1]) + (squares[2] + squares[3])) / static_cast<float>(width);
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
  for (std::uint32_t k = 0; y && k < a.padded; k += depth_multiple) {
    vec low, high;
    values(k, low, high);
    Format::store_values(y + k, low);
    Format::store_values(y + k + 16, high);
  }
  if (!a.groups) return;
  quantise_groups(a.padded / depth_multiple, a.groups, values);
  if (a.high) keep_apart(a.groups, a.padded, a.high, values);
}

void norm_add(const norm_args& a) {
  const vec factor = norm_factor(a.x, a.width, a.padded, a.epsilon);
  auto* y = static_cast<float*>(a.y);
  for (std::uint32_t k = 0; k < a.padded; k += 16)
    store(y + k, load(y + k) + load(a.x + k) * factor * load(a.weight + k));
}

}  // namespace
}  // namespace lorica
