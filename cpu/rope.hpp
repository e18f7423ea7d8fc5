#pragma once

#include <cstddef>
#include <cstdint>

namespace lorica {

/// Rotary embedding (Su et al. 2021) of one row's queries and keys, half-split, and the way into the cache:
///
///     y[k]       = x[k] * cos[k] - x[k + d/2] * sin[k]
///     y[k + d/2] = x[k + d/2] * cos[k] + x[k] * sin[k]        k in [0, d/2)
///
/// over the first d = rotary_dim dimensions of a head; the others pass. With norm weights x is the head after
/// x / sqrt(mean(x²) + ε) ⊙ w (Qwen3).
///
/// query, key and value are float32 [heads, head_dim] and [kv_heads, head_dim]; cos and sin are [d/2] of the
/// row's position; q_norm and k_norm are [head_dim], zero up to the next multiple of 16, or null. q is
/// [heads, padded_dim] in the format of the kernel, or [heads, head_groups] of codes; K and V go to token
/// `token` of the block at `cache` (head 0; heads `head_stride` bytes apart; layout in attention.hpp). A
/// thread is handed whole rows.
struct rope_args {
  const float* query = nullptr;
  const float* key = nullptr;
  const float* value = nullptr;
  const float* cos = nullptr;
  const float* sin = nullptr;
  const float* q_norm = nullptr;
  const float* k_norm = nullptr;
  float epsilon = 0;
  std::uint32_t heads = 0;
  std::uint32_t kv_heads = 0;
  std::uint32_t head_dim = 0;
  std::uint32_t rotary_dim = 0;  ///< even, at most head_dim
  std::uint32_t padded_dim = 0;
  void* q = nullptr;
  std::byte* cache = nullptr;
  std::size_t head_stride = 0;  ///< bytes
  std::uint32_t block_tokens = 0;
  std::uint32_t token = 0;
};

using rope_kernel = void (*)(const rope_args&);

}  // namespace lorica
