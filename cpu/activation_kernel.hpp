#pragma once

// Body of activation.hpp for one set of instructions; included after format_kernel.hpp.

namespace lorica {
namespace {

/// 1 / (1 + exp(-z)). Below -80 it is nothing beside anything; the bound keeps exp finite.
LORICA_KERNEL vec sigmoid(vec z) {
  return quotient(splat(1.0f), splat(1.0f) + exponential(zero() - larger(splat(-80.0f), z)));
}

struct silu {
  static LORICA_KERNEL vec of(vec g) {
    g = larger(splat(-80.0f), g);
    return quotient(g, splat(1.0f) + exponential(zero() - g));
  }
};

struct gelu_tanh {
  static LORICA_KERNEL vec of(vec g) {
    g = larger(splat(-10.0f), g);  // nothing is left of lower ones, and their cubes would overflow
    const vec cubic = fma(g * g, splat(0.044715f), splat(1.0f));
    return g * sigmoid(splat(2 * 0.7978845608028654f) * g * cubic);
  }
};

struct gelu {
  static LORICA_KERNEL vec of(vec g) {
    const vec x = g * splat(0.7071067811865476f);
    const vec size = larger(x, zero() - x);
    const vec t = quotient(splat(1.0f), fma(splat(0.3275911f), size, splat(1.0f)));
    vec p = splat(1.061405429f);
    p = fma(p, t, splat(-1.453152027f));
    p = fma(p, t, splat(1.421413741f));
    p = fma(p, t, splat(-0.284496736f));
    p = fma(p, t, splat(0.254829592f));
    // 1 - erf(|x|); g (1 + erf x) / 2 is max(g, 0) less |g| (1 - erf|x|) / 2 on both sides of zero.
    const vec rest = p * t * exponential(zero() - x * x);
    return larger(g, zero()) - larger(g, zero() - g) * rest * splat(0.5f);
  }
};

template <class Format, class Function>
void activate(const activation_args& a) {
  for (std::uint32_t row = 0; row < a.rows; ++row) {
    const float* gate = a.gate + row * a.stride;
    const float* up = a.up + row * a.stride;
    auto* y = a.y ? static_cast<typename Format::element*>(a.y) + row * a.y_stride : nullptr;
    auto* groups = a.groups ? a.groups + row * a.groups_stride : nullptr;
    const auto values = [&](std::uint32_t k, vec & low, vec & high) __attribute__((always_inline)) {
      low = Function::of(load(gate + k)) * load(up + k);
      high = Function::of(load(gate + k + 16)) * load(up + k + 16);
      if (!y) return;
      Format::store_values(y + k, low);
      Format::store_values(y + k + 16, high);
    };
    if (groups) {
      quantise_groups(a.width / depth_multiple, groups, values);
      if (a.high)
        keep_lone_apart(groups, a.width / depth_multiple, a.high + row * a.high_stride,
                        a.marks + row * a.high_stride, values);
      continue;
    }
    for (std::uint32_t k = 0; k < a.width; k += depth_multiple) {
      vec low, high;
      values(k, low, high);
    }
  }
}

template <class Format>
void activation(const activation_args& a) {
  switch (a.kind) {
    case activation_kind::silu: return activate<Format, silu>(a);
    case activation_kind::gelu_tanh: return activate<Format, gelu_tanh>(a);
    case activation_kind::gelu: return activate<Format, gelu>(a);
  }
}

}  // namespace
}  // namespace lorica
