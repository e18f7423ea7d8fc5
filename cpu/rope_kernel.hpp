#pragma once

// Body of rope.hpp for one set of instructions; included after format_kernel.hpp.

namespace lorica {
namespace {

struct turned_head {
  alignas(64) float values[max_head_dim];
};

/// Takes a head in, normalised where there is a weight; lanes from head_dim to the next vector are zero.
LORICA_KERNEL void take_head(const float* x, const float* weight, const rope_args& a, turned_head& out) {
  const std::uint32_t whole = a.head_dim / 16 * 16;
  for (std::uint32_t k = 0; k < whole; k += 16)
    store(out.values + k, load(x + k));
  if (whole != a.padded_dim) {
    store(out.values + whole, zero());
    __builtin_memcpy(out.values + whole, x + whole, (a.head_dim - whole) * sizeof(float));
  }
  if (!weight) return;
  const vec factor = norm_factor(out.values, a.head_dim, a.padded_dim, a.epsilon);
  for (std::uint32_t k = 0; k < a.padded_dim; k += 16)
    store(out.values + k, load(out.values + k) * factor * load(weight + k));
}

LORICA_KERNEL void turn(const rope_args& a, turned_head& head) {
  const std::uint32_t half = a.rotary_dim / 2;
  std::uint32_t k = 0;
  for (; k + 16 <= half; k += 16) {
    const vec cos = load(a.cos + k), sin = load(a.sin + k);
    const vec left = load(head.values + k), right = load(head.values + k + half);
    store(head.values + k, left * cos - right * sin);
    store(head.values + k + half, right * cos + left * sin);
  }
  for (; k < half; ++k) {
    const float left = head.values[k];
    const float right = head.values[k + half];
    head.values[k] = left * a.cos[k] - right * a.sin[k];
    head.values[k + half] = right * a.cos[k] + left * a.sin[k];
  }
}

/// The whole head in the format of the cache; lanes from `n` on are zero.
template <class Format>
LORICA_KERNEL void store_head(typename Format::element* to, const float* from, std::uint32_t n,
                              std::uint32_t padded) {
  const std::uint32_t whole = n / 16 * 16;
  for (std::uint32_t k = 0; k < whole; k += 16)
    Format::store_values(to + k, load(from + k));
  if (whole == padded) return;
  float lanes[16] = {};
  for (std::uint32_t i = whole; i < n; ++i)
    lanes[i - whole] = from[i];
  Format::store_values(to + whole, load(lanes));
}

template <class Format>
void rope(const rope_args& a) {
  using element = typename Format::element;
  constexpr std::uint32_t step = Format::depth_step;
  turned_head turned;
  for (std::uint32_t h = 0; h < a.heads; ++h) {
    take_head(a.query + std::size_t{h} * a.head_dim, a.q_norm, a, turned);
    turn(a, turned);
    store_head<Format>(static_cast<element*>(a.q) + std::size_t{h} * a.padded_dim, turned.values, a.head_dim,
                       a.padded_dim);
  }
  const std::size_t group = a.token / token_group;
  const std::size_t lane = a.token % token_group;
  for (std::uint32_t h = 0; h < a.kv_heads; ++h) {
    auto* keys = reinterpret_cast<element*>(a.cache + h * a.head_stride);
    auto* values = keys + std::size_t{a.block_tokens} * a.padded_dim;
    element row[max_head_dim];
    take_head(a.key + std::size_t{h} * a.head_dim, a.k_norm, a, turned);
    turn(a, turned);
    store_head<Format>(row, turned.values, a.head_dim, a.padded_dim);
    auto* to = keys + group * token_group * a.padded_dim;
    for (std::uint32_t d = 0; d < a.padded_dim; d += step)
      __builtin_memcpy(to + (d * token_group + lane * step), row + d, sizeof(element) * step);
    store_head<Format>(row, a.value + std::size_t{h} * a.head_dim, a.head_dim, a.padded_dim);
    auto* value = values + std::size_t{a.token / step} * step * a.padded_dim + a.token % step;
    for (std::uint32_t d = 0; d < a.padded_dim; ++d)
      value[d * step] = row[d];
  }
}

}  // namespace
}  // namespace lorica
