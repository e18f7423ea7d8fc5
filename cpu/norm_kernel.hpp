#pragma once

// Body of norm.hpp for one set of instructions; included after format_kernel.hpp.

namespace lorica {
namespace {

template <class Format>
void norm(const norm_args& a) {
  vec squares = zero();
  for (std::uint32_t k = 0; k < a.padded; k += 16)
    squares = fma(load(a.x + k), load(a.x + k), squares);
  const float mean = sum(squares) / static_cast<float>(a.width);
  const vec factor = splat(1.0f / __builtin_sqrtf(mean + a.epsilon));
  auto* y = static_cast<typename Format::element*>(a.y);
  for (std::uint32_t k = 0; k < a.padded; k += 16)
    Format::store_values(y + k, load(a.x + k) * factor * load(a.weight + k));
}

}  // namespace
}  // namespace lorica
