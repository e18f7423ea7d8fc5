#pragma once

#include <cstddef>
#include <cstdint>

#include "core/ids.hpp"
#include "gpu/bfloat.hpp"

namespace lorica::gpu {

// What kernels read about a step. All of it lies in device memory at addresses that never change, in one
// buffer that is copied once per step (step_buffer.hpp), so that a recorded graph reads the step at hand.
//
// A recorded step has more rows than are used: the idle ones behind the last row have token 0, position 0,
// the spare slot (`max_sequences`) and the spare KV block (`blocks`), so that kernels compute them like any
// other row and harm nothing. Tables by slot and the KV pool have room for the spare one. Idle rows are in no
// segment and are not read.

/// KV heads of one layer: [blocks + 1][kv_heads][K, V][block_tokens][padded_dim] of bfloat16. Keys have been
/// turned; elements from head_dim on are zero. The token at position p of a sequence is token p %
/// block_tokens of block words[first_block + p / block_tokens].
struct kv_layer {
  bfloat* data = nullptr;          ///< keys of head 0 of block 0
  std::size_t block_stride = 0;    ///< elements
  std::size_t head_stride = 0;     ///< elements
  std::size_t value_offset = 0;    ///< elements from a head's keys to its values
  std::uint32_t block_tokens = 0;  ///< a multiple of 16
  std::uint32_t padded_dim = 0;    ///< `head_dim` up to the next multiple of 16
};

/// One value per row of the step, in the order of rows.
struct row_tables {
  const token_id* tokens = nullptr;            ///< never `sampled_last`: the host has looked it up
  const std::uint32_t* positions = nullptr;    ///< in its sequence, from 0
  const std::uint32_t* slots = nullptr;        ///< of its sequence, at most `max_sequences`
  const std::uint32_t* first_block = nullptr;  ///< into `words`: its sequence's block table
  const std::uint32_t* words = nullptr;        ///< everything whose length varies: block tables, lists
};

/// Neighbouring rows of one sequence that attention takes together, at most `tile_rows`; of sequences with
/// one row there are none.
struct row_tile {
  std::uint32_t first_row = 0;
  std::uint32_t rows = 0;
  std::uint32_t position = 0;     ///< of the first row; the others follow
  std::uint32_t first_block = 0;  ///< into `words`
};

/// Most rows of a `row_tile`.
inline constexpr std::uint32_t tile_rows = 64;

/// One adapter of a composition.
struct lora_use {
  std::uint32_t slot = 0;  ///< of the table of adapter slots
  float weight = 1;        ///< multiplies the adapter's own scaling
};

/// Rows of one composition; base rows are in none. Segments ascend and do not overlap.
struct lora_segment {
  std::uint32_t first_row = 0;
  std::uint32_t rows = 0;
  std::uint32_t first_use = 0;  ///< into the table of `lora_use`
  std::uint32_t uses = 0;
  std::uint32_t merged = 0;  ///< 1: `combination::linear`
  float merge_scaling = 0;   ///< of all modules of a merged segment
};

/// A row that is in no segment.
inline constexpr std::uint32_t no_segment = ~std::uint32_t{0};

/// The segments that rows belong to; there is one for all rows of the step, and one for its readings, whose
/// "rows" are counted over the readings.
struct segment_tables {
  const std::uint32_t* segment_of = nullptr;  ///< [rows], or `no_segment`
  const lora_segment* segments = nullptr;
  const std::uint32_t* count = nullptr;  ///< [1], of the segments
  const lora_use* uses = nullptr;
};

/// A row whose logits are read; those that choose a token and those that tell of a prompt token, in the order
/// of rows.
struct step_reading {
  std::uint32_t row = 0;
  std::uint32_t sequence = 0;  ///< into `batch::sequences`
  std::uint32_t slot = 0;
  std::uint32_t place = 0;     ///< in `step_output::tokens`, or in `scored`
  token_id scored = no_token;  ///< the prompt token that is told of; `no_token`: one is chosen
};

}  // namespace lorica::gpu
