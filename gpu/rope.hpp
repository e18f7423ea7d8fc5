#pragma once

#include <cstddef>
#include <cstdint>

#include "core/error.hpp"
#include "gpu/bfloat.hpp"
#include "gpu/step_tables.hpp"
#include "gpu/stream.hpp"

namespace lorica::gpu {

/// Rotary embedding (Su et al. 2021) of the queries and keys of all rows, half-split, and the way of keys and
/// values into the cache:
///
///     y[k]       = x[k] * cos[k] - x[k + d/2] * sin[k]
///     y[k + d/2] = x[k + d/2] * cos[k] + x[k] * sin[k]        k in [0, d/2)
///
/// over the first d = rotary_dim dimensions of a head; the others pass. With norm weights x is the head after
/// x / sqrt(mean(x²) + ε) ⊙ w (Qwen3).
///
/// query, key and value are [rows, heads, head_dim] and twice [rows, kv_heads, head_dim] in `format`, rows
/// `stride` elements apart: three parts of one product, or whatever lies so. cos and sin are float32 [rows,
/// d/2]; q_norm and k_norm float32 [head_dim], or null. q is bfloat16 [rows, heads, kv.padded_dim], rows
/// `q_stride` apart, zero from head_dim on; it may lie in query where padded_dim is head_dim and the format
/// bfloat16. Of `tables` positions, first_block and words are read. Sums are float32. A row's bits depend on
/// the row only. A warp per head.
struct rope_args {
  const void* query = nullptr;
  const void* key = nullptr;
  const void* value = nullptr;
  number_format format = number_format::bfloat16;
  std::size_t stride = 0;  ///< elements
  const float* cos = nullptr;
  const float* sin = nullptr;
  const float* q_norm = nullptr;
  const float* k_norm = nullptr;
  float epsilon = 0;
  std::uint32_t rows = 0;
  std::uint32_t heads = 0;
  std::uint32_t kv_heads = 0;
  std::uint32_t head_dim = 0;    ///< at most `max_head_dim` (attention.hpp)
  std::uint32_t rotary_dim = 0;  ///< even, at most head_dim
  bfloat* q = nullptr;
  std::size_t q_stride = 0;  ///< elements
  kv_layer kv;
  row_tables tables;
};

result<void> rope(const rope_args& a, const stream& s);

}  // namespace lorica::gpu
