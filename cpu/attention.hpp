#pragma once

#include <cstddef>
#include <cstdint>

namespace lorica {

/// Tokens that share one vector of keys; a KV block holds a multiple of it.
inline constexpr std::uint32_t token_group = 16;

/// Widest head that the kernels take.
inline constexpr std::uint32_t max_head_dim = 256;

/// y = softmax(q Kᵀ / sqrt(d)) V for the query heads of one row that share a key-value head, with the softmax
/// computed on the way (Milakov and Gimelshein 2018; Dao et al. 2022). With a softcap c a score is c tanh(s /
/// c) (Gemma 2); with a window the row sees the last positions only.
///
/// q is [heads, padded_dim] in the format of the kernel, zero from `head_dim` on. A block of the KV cache
/// holds for this head K as [block_tokens / 16][padded_dim][16] (pairs of bfloat16: [padded_dim / 2][16][2])
/// and then V as [block_tokens][padded_dim]. y is [heads, head_dim] in that format.
///
/// Blocks are walked in the order of positions, 32 tokens at a time, from position 0 or from the group of 32
/// in which the window begins: the result depends on q, K, V and the row's position alone. A thread is handed
/// (row, heads) items.
struct attention_args {
  const void* q = nullptr;
  std::uint32_t heads = 0;
  std::uint32_t head_dim = 0;
  std::uint32_t padded_dim = 0;      ///< multiple of 16, at most `max_head_dim`
  const std::byte* cache = nullptr;  ///< block 0 of this layer and head
  std::size_t block_stride = 0;      ///< bytes
  const std::uint32_t* blocks = nullptr;
  std::uint32_t block_tokens = 0;
  std::uint32_t first = 0;  ///< the row sees positions [first, tokens)
  std::uint32_t tokens = 0;
  float scale = 0;    ///< `model_config::attention_scale`
  float softcap = 0;  ///< 0: none
  void* y = nullptr;
  bool cold = false;  ///< K and V were not read just now: they are asked for ahead of their use
};

using attention_kernel = void (*)(const attention_args&);

}  // namespace lorica
