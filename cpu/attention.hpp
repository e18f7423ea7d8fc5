#pragma once

#include <cstddef>
#include <cstdint>

#include "cpu/weight_format.hpp"

namespace lorica {

/// Tokens that share one vector of keys; a KV block holds a multiple of it.
inline constexpr std::uint32_t token_group = 16;

/// Memory is asked for so many tokens before it is read.
inline constexpr std::uint32_t tokens_ahead = 64;

/// Widest head that the kernels take.
inline constexpr std::uint32_t max_head_dim = 256;

/// Groups of 32 codes, the last of them perhaps 16, that a query or a key is as codes.
constexpr std::uint32_t head_groups(std::uint32_t padded_dim) noexcept {
  return (padded_dim + depth_multiple - 1) / depth_multiple;
}

/// Bytes of one token's keys of one head as codes of 8 bits with a float32 scale for each group.
constexpr std::size_t coded_key_bytes(std::uint32_t padded_dim) noexcept {
  return padded_dim + head_groups(padded_dim) * sizeof(float);
}

/// Bytes of one token's values of one head as codes with one scale.
constexpr std::size_t coded_value_bytes(std::uint32_t padded_dim) noexcept {
  return padded_dim + sizeof(float);
}

/// Keys and values of one sequence for one layer and key-value head: positions [first, tokens).
struct seen_tokens {
  const std::byte* cache = nullptr;  ///< block 0 of this layer and head
  const std::uint32_t* blocks = nullptr;
  std::uint32_t first = 0;
  std::uint32_t tokens = 0;
};

/// y = softmax(q Kᵀ / sqrt(d)) V for the query heads that share a key-value head, of neighbouring rows of one
/// sequence, with the softmax computed on the way (Milakov and Gimelshein 2018; Dao et al. 2022). With a
/// softcap c a score is c tanh(s / c) (Gemma 2); with a window a row sees the last positions only.
///
/// q is [rows, heads, padded_dim] in the format of the kernel, zero from `head_dim` on. A block of the KV
/// cache holds for this head K as [block_tokens / 16][padded_dim][16] (pairs of bfloat16: [padded_dim /
/// 2][16][2]) and then V as [block_tokens][padded_dim] (pairs: [block_tokens / 2][padded_dim][2]). y is
/// [rows, heads, head_dim] in that format, which the weights of the softmax are rounded to.
///
/// Where K and V are codes, q is [rows, heads, head_groups] of `input_group`. Sixteen tokens of K are for
/// each group of 32 dimensions [8][16][4] bytes and their scales, float32 [16]; then come the values, for
/// sixteen tokens [4][padded_dim][4] bytes and float32 [16]. A byte is 128 above its code; key = scale *
/// code. The weights of 32 tokens, each times the scale of its values, become codes with one scale too.
///
/// Blocks are walked in the order of positions, 32 tokens at a time, and what a row does not see weighs
/// nothing: the result depends on q, K, V and the row's position alone. A thread is handed (row, heads)
/// items.
struct attention_args {
  const void* q = nullptr;
  std::size_t q_stride = 0;  ///< elements, or groups, from row to row
  std::uint32_t rows = 1;
  std::uint32_t heads = 0;
  std::uint32_t head_dim = 0;
  std::uint32_t padded_dim = 0;  ///< multiple of 16, at most `max_head_dim`
  seen_tokens seen;          ///< from the first that the first row sees to the last that the last one does
  std::uint32_t window = 0;  ///< a row sees so many positions, up to its own; 0: all
  seen_tokens next;          ///< of the work behind this one, asked for in time; without a cache: nothing
  bool cold = false;         ///< so is what `seen` holds, whose beginning somebody asked for
  std::size_t block_stride = 0;  ///< bytes
  std::uint32_t block_tokens = 0;
  float scale = 0;    ///< `model_config::attention_scale`
  float softcap = 0;  ///< 0: none
  void* y = nullptr;
  std::size_t y_stride = 0;  ///< elements from row to row
};

using attention_kernel = void (*)(const attention_args&);

}  // namespace lorica
