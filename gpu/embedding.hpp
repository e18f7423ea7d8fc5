#pragma once

#include <cstddef>
#include <cstdint>

#include "core/error.hpp"
#include "core/ids.hpp"
#include "engine/batch.hpp"
#include "gpu/bfloat.hpp"
#include "gpu/stream.hpp"

namespace lorica::gpu {

/// What a row begins with: its token's embedding times `scale`, and cos and sin of position · inv_freq.
///
/// tokens is [rows]; `sampled_last` stands for sampled[slots[row]], what the row's sequence chose in its last
/// step. table is bfloat16 [vocab, width]; x is [rows, width] in `format`, rows `x_stride` elements apart. A
/// token beyond the table gives rows that are no numbers. positions is [rows]; frequencies float32
/// [frequency_count]; cos and sin float32 [rows, frequency_count], times `rope_factor`. Everything lies on
/// the device. A block of threads per row.
struct embedding_args {
  const token_id* tokens = nullptr;
  const std::uint32_t* slots = nullptr;
  const token_id* sampled = nullptr;
  const std::uint32_t* positions = nullptr;
  std::uint32_t rows = 0;
  const bfloat* table = nullptr;
  std::uint32_t vocab = 0;
  std::uint32_t width = 0;
  float scale = 1;
  void* x = nullptr;
  number_format format = number_format::float32;
  std::size_t x_stride = 0;
  const float* frequencies = nullptr;
  std::uint32_t frequency_count = 0;
  float rope_factor = 1;
  float* cos = nullptr;
  float* sin = nullptr;
};

result<void> embed(const embedding_args& a, const stream& s);

}  // namespace lorica::gpu
