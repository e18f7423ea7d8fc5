#pragma once

#include <cstddef>
#include <cstdint>

#include "core/error.hpp"
#include "gpu/bfloat.hpp"
#include "gpu/device.hpp"
#include "gpu/step_tables.hpp"
#include "gpu/stream.hpp"

namespace lorica::gpu {

/// Widest head that the kernels take.
inline constexpr std::uint32_t max_head_dim = 256;

/// Positions whose sums are one part of a row's result: [0, 256), [256, 512), ….
inline constexpr std::uint32_t span_tokens = 256;

/// y = softmax(q Kᵀ scale) V over the positions that a row sees, with the softmax computed on the way
/// (Milakov and Gimelshein 2018; Dao et al. 2022). With a softcap c a score is c tanh(s / c) (Gemma 2); with
/// a window w a row sees its own position and the w - 1 before it; without, all up to its own.
///
/// q is bfloat16 [rows, heads, kv.padded_dim], as `rope` leaves it, rows `q_stride` elements apart, on 16
/// bytes each; y is bfloat16 [rows, heads, head_dim], rows `y_stride` apart. Of `tables` positions,
/// first_block and words are read. The keys and values of all positions that a row sees are in the cache.
///
/// Products are of bfloat16 on the tensor cores, sums float32; the weights of the softmax are rounded to
/// bfloat16 for the product with V and for their own sum. A row's bits depend on its q, K, V and position
/// alone: not on the other rows, on which of the two functions computes it, or on how many parts. For that,
/// weights are relative to a power of two, so that a change of the highest score rounds nothing; each
/// `span_tokens` are summed from zero, 16 positions at a time; and these sums are added in their order.
struct attention_args {
  const bfloat* q = nullptr;
  std::size_t q_stride = 0;  ///< elements
  std::uint32_t heads = 0;
  std::uint32_t kv_heads = 0;
  std::uint32_t head_dim = 0;  ///< at most `max_head_dim`
  kv_layer kv;
  row_tables tables;
  std::uint32_t window = 0;  ///< 0: all
  float scale = 0;           ///< `model_config::attention_scale`
  float softcap = 0;         ///< 0: none
  bfloat* y = nullptr;
  std::size_t y_stride = 0;  ///< elements
};

/// Rows that are computed one by one, in blocks of (part of a row's positions, key-value head, row): the
/// query heads of a key-value head share one read of K and V. For sequences with one row in the step.
struct decode_rows {
  const std::uint32_t* rows = nullptr;  ///< [count] on the device, row numbers; null: 0, 1, … count - 1
  std::uint32_t count = 0;
  /// How many blocks share the positions of a row and head. May be any number, also in a recorded graph,
  /// where it stays while positions grow; `attention_parts` knows a good one.
  std::uint32_t parts = 1;
  /// float32, `attention_partial_floats`; may be null where parts is 1. Of this stream alone.
  float* partials = nullptr;
  std::uint32_t max_positions = 0;  ///< no row sees more
};

/// A good number of parts for `rows` rows on a device with so many multiprocessors: blocks enough to fill it,
/// and no more than there are spans.
std::uint32_t attention_parts(std::uint32_t rows, std::uint32_t kv_heads, std::uint32_t max_positions,
                              std::uint32_t multiprocessors) noexcept;

/// Floats of `decode_rows::partials` for `rows` rows in more than one part.
std::uint64_t attention_partial_floats(std::uint32_t rows, std::uint32_t heads, std::uint32_t head_dim,
                                       std::uint32_t max_positions) noexcept;

/// No rows are nothing to do.
result<void> attend_decode(const attention_args& a, const decode_rows& rows, const stream& s);

/// Rows that are computed in tiles of neighbours in one sequence, on the tensor cores: `tiles` is [count] on
/// the device. `d` is the device of the stream.
result<void> attend_prefill(const attention_args& a, const row_tile* tiles, std::uint32_t count,
                            const device_properties& d, const stream& s);

}  // namespace lorica::gpu
