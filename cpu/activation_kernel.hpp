#pragma once

// Body of activation.hpp for one set of instructions; included after format_kernel.hpp.

namespace lorica {
namespace {

template <class Format>
void activation(const activation_args& a) {
  for (std::uint32_t row = 0; row < a.rows; ++row) {
    const float* gate = a.gate + row * a.stride;
    const float* up = a.up + row * a.stride;
    auto* y = static_cast<typename Format::element*>(a.y) + row * a.y_stride;
    for (std::uint32_t k = 0; k < a.width; k += 16) {
      // Below -80 the result is nothing beside any other; the bound keeps exp(-g) finite.
      const vec g = larger(splat(-80.0f), load(gate + k));
      const vec e = exponential(zero() - g);
      Format::store_values(y + k, g / (splat(1.0f) + e) * load(up + k));
    }
  }
}

}  // namespace
}  // namespace lorica
