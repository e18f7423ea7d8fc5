#pragma once

// Body of outputs.hpp for one set of instructions; included after format_kernel.hpp.

namespace lorica {
namespace {

void outputs(const outputs_args& a) {
  for (std::uint32_t row = 0; row < a.rows; ++row) {
    float* y = a.y + row * a.y_stride;
    for (std::uint32_t k = 0; k < a.width; k += 16) {
      const vec before = load(y + k);
      vec change = a.offset ? load(a.offset + k) : zero();
      if (a.gain)
        change = fma(load(a.gain + k), a.base_bias ? before - load(a.base_bias + k) : before, change);
      store(y + k, fma(splat(a.weight), change, before));
    }
  }
}

}  // namespace
}  // namespace lorica
