// Rotation of queries and keys, and keys and values into the cache; formula and shapes in rope.hpp. A warp
// per head: of queries, then of keys, then of values. A lane has the dimensions l, l + 32, … below d/2 with
// those d/2 above them, so that it alone reads and writes them, and of the rest l, l + 32, … too.
#include "gpu/rope.hpp"

#include "gpu/lanes.cuh"
#include "gpu/launch.cuh"

namespace lorica::gpu {
namespace {

constexpr unsigned threads = 256;
constexpr unsigned heads_at_once = threads / warp_lanes;

/// 1 / sqrt(mean(x²) + ε) of a head.
template <class Element>
__device__ float head_factor(const Element* x, std::uint32_t n, float epsilon) {
  float squares = 0;
  for (auto k = lane(); k < n; k += warp_lanes)
    squares += to_float(x[k]) * to_float(x[k]);
  return 1.0f / sqrtf(sum_lanes(squares) / static_cast<float>(n) + epsilon);
}

template <class Element>
__device__ void turn_head(const rope_args& a, const Element* x, const float* weight, std::size_t row,
                          bfloat* y) {
  const float factor = weight ? head_factor(x, a.head_dim, a.epsilon) : 1.0f;
  const auto value = [&](std::uint32_t k) {
    return weight ? to_float(x[k]) * factor * weight[k] : to_float(x[k]);
  };
  const std::uint32_t half = a.rotary_dim / 2;
  for (auto k = lane(); k < half; k += warp_lanes) {
    const float left = value(k), right = value(k + half);
    const float cos = a.cos[row * half + k], sin = a.sin[row * half + k];
    y[k] = to_bfloat(left * cos - right * sin);
    y[k + half] = to_bfloat(right * cos + left * sin);
  }
  for (auto k = a.rotary_dim + lane(); k < a.kv.padded_dim; k += warp_lanes)
    y[k] = k < a.head_dim ? to_bfloat(value(k)) : bfloat{0};
}

template <class Element>
__device__ void copy_head(const rope_args& a, const Element* x, bfloat* y) {
  for (auto k = lane(); k < a.kv.padded_dim; k += warp_lanes)
    y[k] = k < a.head_dim ? to_bfloat(to_float(x[k])) : bfloat{0};
}

/// Keys of a head for the token of a row.
__device__ bfloat* cached(const rope_args& a, std::size_t row, std::uint32_t head) {
  const auto position = a.tables.positions[row];
  const auto block = a.tables.words[a.tables.first_block[row] + position / a.kv.block_tokens];
  return a.kv.data + block * a.kv.block_stride + head * a.kv.head_stride +
         std::size_t{position % a.kv.block_tokens} * a.kv.padded_dim;
}

template <class Element>
__global__ void __launch_bounds__(threads) rope_kernel(rope_args a) {
  wait_for_previous();
  const std::size_t row = blockIdx.x;
  auto head = blockIdx.y * heads_at_once + warp();
  const auto part = [&](const void* x) {
    return static_cast<const Element*>(x) + row * a.stride + std::size_t{head} * a.head_dim;
  };
  if (head < a.heads) {
    auto* y = a.q + row * a.q_stride + std::size_t{head} * a.kv.padded_dim;
    turn_head(a, part(a.query), a.q_norm, row, y);
  } else if ((head -= a.heads) < a.kv_heads) {
    turn_head(a, part(a.key), a.k_norm, row, cached(a, row, head));
  } else if ((head -= a.kv_heads) < a.kv_heads) {
    copy_head(a, part(a.value), cached(a, row, head) + a.kv.value_offset);
  }
  let_next_begin();
}

}  // namespace

result<void> rope(const rope_args& a, const stream& s) {
  const auto warps = a.heads + 2 * a.kv_heads;
  const launch_shape shape{dim3(a.rows, (warps + heads_at_once - 1) / heads_at_once), dim3(threads)};
  if (a.format == number_format::float32) return launch("rope", s, shape, rope_kernel<float>, a);
  return launch("rope", s, shape, rope_kernel<bfloat>, a);
}

}  // namespace lorica::gpu
