// x = table[token] · scale, and the angles of its position; shapes in embedding.hpp. A block of threads per
// row, columns t, t + threads, ….
#include "gpu/embedding.hpp"

#include "gpu/lanes.cuh"
#include "gpu/launch.cuh"

namespace lorica::gpu {
namespace {

constexpr unsigned threads = 128;

template <class Element>
__global__ void __launch_bounds__(threads) embedding_kernel(embedding_args a) {
  const std::size_t row = blockIdx.x;
  auto token = a.tokens[row];
  if (token == sampled_last) token = a.sampled[a.slots[row]];
  const bool known = token >= 0 && static_cast<std::uint32_t>(token) < a.vocab;
  const auto* from = a.table + (known ? static_cast<std::size_t>(token) : 0) * a.width;
  auto* x = static_cast<Element*>(a.x) + row * a.x_stride;
  const float scale = known ? a.scale : __int_as_float(0x7fffffff);
  for (auto k = threadIdx.x; k < a.width; k += blockDim.x)
    x[k] = stored<Element>(to_float(from[k]) * scale);
  const auto position = static_cast<float>(a.positions[row]);
  for (auto k = threadIdx.x; k < a.frequency_count; k += blockDim.x) {
    const float angle = position * a.frequencies[k];
    a.cos[row * a.frequency_count + k] = cosf(angle) * a.rope_factor;
    a.sin[row * a.frequency_count + k] = sinf(angle) * a.rope_factor;
  }
}

}  // namespace

result<void> embed(const embedding_args& a, const stream& s) {
  const launch_shape shape{dim3(a.rows), dim3(threads)};
  if (a.format == number_format::float32) return launch("embedding", s, shape, embedding_kernel<float>, a);
  return launch("embedding", s, shape, embedding_kernel<bfloat>, a);
}

}  // namespace lorica::gpu
