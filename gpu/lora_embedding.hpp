#pragma once

#include <cstddef>
#include <cstdint>

#include "core/error.hpp"
#include "core/ids.hpp"
#include "gpu/adapter_table.hpp"
#include "gpu/bfloat.hpp"
#include "gpu/step_tables.hpp"
#include "gpu/stream.hpp"

namespace lorica::gpu {

/// Rows whose adapters change embeddings begin with x = (E_token + sum over uses of B u) * scale instead, E
/// being the table of the first use where it brings one, and u as in lora.hpp with A_token for the inputs.
///
/// Runs behind `embed` and writes those rows again; it leaves all others alone. tokens is [rows], literal;
/// table is the base's, bfloat16 [vocab, width]; x is [rows, width] in `format`, rows `x_stride` elements
/// apart. A block of threads per row.
struct lora_embedding_args {
  adapter_table adapters;
  segment_tables segments;
  const token_id* tokens = nullptr;
  std::uint32_t rows = 0;
  const bfloat* table = nullptr;
  std::uint32_t vocab = 0;
  std::uint32_t width = 0;
  float scale = 1;
  void* x = nullptr;
  number_format format = number_format::float32;
  std::size_t x_stride = 0;
};

result<void> lora_embed(const lora_embedding_args& a, const stream& s);

}  // namespace lorica::gpu
