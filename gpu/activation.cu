// y = f(g) ⊙ u, formulas and shapes in activation.hpp. A thread has one column of one row, or four neighbours
// where the buffers allow it: it has read them before it writes, so y may be g or u.
#include "gpu/activation.hpp"

#include "gpu/lanes.cuh"
#include "gpu/launch.cuh"

namespace lorica::gpu {
namespace {

constexpr unsigned threads = 256;

struct silu {
  __device__ static float of(float g) { return (g < -80.0f ? -80.0f : g) / (1.0f + expf(-g)); }
};

struct gelu_tanh {
  __device__ static float of(float g) {
    g = g < -10.0f ? -10.0f : g;  // nothing is left of lower ones, and their cubes would overflow
    const float t = 0.7978845608028654f * g * (1.0f + 0.044715f * g * g);
    return g / (1.0f + expf(-2.0f * t));
  }
};

struct gelu {
  __device__ static float of(float g) {
    g = g < -20.0f ? -20.0f : g;
    return 0.5f * g * erfcf(-0.7071067811865476f * g);
  }
};

/// Four neighbours, on their own size.
template <class Element>
struct alignas(4 * sizeof(Element)) four {
  Element of[4];
};

template <class Function, class Element, unsigned Wide>
__global__ void __launch_bounds__(threads) activation_kernel(activation_args a) {
  wait_for_previous();
  const auto column = (blockIdx.x * threads + threadIdx.x) * Wide;
  const std::size_t row = blockIdx.y;
  if (column < a.width) {
    const auto* gate = static_cast<const Element*>(a.gate) + row * a.stride + column;
    const auto* up = static_cast<const Element*>(a.up) + row * a.stride + column;
    auto* y = a.y + row * a.y_stride + column;
    if constexpr (Wide == 4) {
      const auto g = *reinterpret_cast<const four<Element>*>(gate);
      const auto u = *reinterpret_cast<const four<Element>*>(up);
      four<bfloat> out;
      for (unsigned i = 0; i < Wide; ++i)
        out.of[i] = to_bfloat(Function::of(to_float(g.of[i])) * to_float(u.of[i]));
      *reinterpret_cast<four<bfloat>*>(y) = out;
    } else {
      *y = to_bfloat(Function::of(to_float(*gate)) * to_float(*up));
    }
  }
  let_next_begin();
}

bool on_16_bytes(const void* at) {
  return reinterpret_cast<std::uintptr_t>(at) % 16 == 0;
}

template <class Function, class Element>
result<void> start(const activation_args& a, const stream& s) {
  const bool wide = on_16_bytes(a.gate) && on_16_bytes(a.up) && on_16_bytes(a.y) && a.stride % 8 == 0 &&
                    a.y_stride % 8 == 0 && a.width % 4 == 0;
  const unsigned columns = wide ? 4 * threads : threads;
  const launch_shape shape{dim3((a.width + columns - 1) / columns, a.rows), dim3(threads)};
  if (wide) return launch("activation", s, shape, activation_kernel<Function, Element, 4>, a);
  return launch("activation", s, shape, activation_kernel<Function, Element, 1>, a);
}

template <class Function>
result<void> start(const activation_args& a, const stream& s) {
  return a.format == number_format::float32 ? start<Function, float>(a, s) : start<Function, bfloat>(a, s);
}

}  // namespace

result<void> activate(const activation_args& a, const stream& s) {
  switch (a.kind) {
    case activation_kind::silu: return start<silu>(a, s);
    case activation_kind::gelu_tanh: return start<gelu_tanh>(a, s);
    case activation_kind::gelu: return start<gelu>(a, s);
  }
  return fail(errc::internal, "no such activation");
}

}  // namespace lorica::gpu
