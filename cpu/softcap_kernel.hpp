#pragma once

// Body of softcap.hpp for one set of instructions; included after format_kernel.hpp.

namespace lorica {
namespace {

/// c tanh(x / c), as c - 2c / (1 + exp(2x / c)).
LORICA_KERNEL vec capped(vec x, float cap) {
  const vec bound = splat(40.0f * cap);  // tanh is 1 there, and exp still finite
  x = zero() - larger(zero() - bound, zero() - larger(zero() - bound, x));
  return splat(cap) - splat(2 * cap) / (splat(1.0f) + exponential(splat(2 / cap) * x));
}

void softcap(const softcap_args& a) {
  for (std::size_t k = 0; k < a.width; k += 16)
    store(a.x + k, capped(load(a.x + k), a.cap));
}

}  // namespace
}  // namespace lorica
