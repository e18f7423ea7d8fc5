#pragma once

#include <cstdint>
#include <vector>

#include "core/generation.hpp"
#include "core/ids.hpp"
#include "engine/packed_adapter.hpp"
#include "engine/top_logprobs.hpp"

namespace lorica {

/// One adapter in a composition.
struct adapter_use {
  const packed_adapter* adapter =
      nullptr;          ///< kept alive by the lease of the sequence until the step is done
  float weight = 1.0f;  ///< multiplies the adapter's own scaling
};

/// Neighbouring rows with the same adapter composition, combined alike; base rows are in no segment. Segments
/// are disjoint and ascending.
struct segment {
  std::uint32_t first_row = 0;
  std::uint32_t rows = 0;
  std::uint32_t first_use = 0;  ///< into `batch::uses`
  std::uint32_t uses = 0;       ///< >= 1, in the order of the composition
  /// `linear` only where engine/linear_merge.hpp has no objection.
  combination combine = combination::sum;
};

/// A row's token when it is "what this slot sampled in its last step", so that a step can be planned ahead.
inline constexpr token_id sampled_last = -1;

/// One sequence's share of a step: `rows` neighbouring rows at positions `context` .. `context + rows - 1`.
struct sequence_rows {
  std::uint32_t slot =
      0;  ///< executor-side place of the sequence, in [0, max_sequences); stable while it runs
  std::uint32_t first_row = 0;
  std::uint32_t rows = 0;
  std::uint32_t context = 0;        ///< tokens already in the KV blocks
  std::uint32_t first_block = 0;    ///< into `batch::block_table`
  std::uint32_t blocks = 0;         ///< enough for context + rows
  std::uint32_t prompt_tokens = 0;  ///< tokens below this position are prompt (for penalties)
  bool sample = false;              ///< the last row's logits choose a token
  bool ignore_eos = false;          ///< the model's end tokens do not end it
  std::uint32_t choice = 0;         ///< second counter of the random numbers
  sampling_params sampling;
  std::uint32_t top = 0;  ///< alternatives to tell of the chosen token
  /// Of its rows, the first whose logits tell how likely the prompt token behind it is, and how many
  /// neighbouring ones do; never the row that samples.
  std::uint32_t first_scored = 0;
  std::uint32_t scored = 0;
  std::uint32_t scored_top = 0;  ///< alternatives to tell of each
  token_id behind = 0;           ///< the prompt token behind the last row, where that row is scored
  /// The tokens before `context` that were no rows of this slot: others computed what the blocks hold of
  /// them.
  std::uint32_t first_known = 0;  ///< into `batch::known`
  std::uint32_t known = 0;
};

/// All rows of one step, as flat arrays: computed in one pass of the base weights. Sequences are sorted so
/// that equal compositions are neighbours. Immutable once handed to an executor.
struct batch {
  std::vector<token_id> tokens;            ///< [rows]; literal or `sampled_last`
  std::vector<sequence_rows> sequences;    ///< cover the rows in order, without holes
  std::vector<std::uint32_t> block_table;  ///< KV block ids of all sequences, one after the other
  std::vector<token_id> known = {};        ///< of sequences that found some of their tokens computed
  std::vector<segment> segments;
  std::vector<adapter_use> uses;
  std::vector<token_id> eos = {};  ///< the model's end tokens, see `all_go_on`
};

/// What a step tells of one token of a sequence: the one it chose, or one of the prompt.
struct sampled_token {
  std::uint32_t sequence = 0;  ///< index into `batch::sequences`
  token_id token = 0;          ///< or `no_token`, which ends the sequence
  float logprob = 0;  ///< natural logarithm over the full vocabulary, of the raw logits; NaN when they are
                      ///< not finite, which ends the sequence
  std::uint32_t rank = 0;               ///< see `token_choice`; always there for a prompt token
  std::vector<token_logprob> top = {};  ///< as many as were asked for
};

/// The result of a step.
struct step_output {
  std::vector<sampled_token> tokens;       ///< one per sequence with `sample`, in order
  std::vector<sampled_token> scored = {};  ///< one per scored row, in order: the prompt token behind it
  double seconds = 0;                      ///< that the step took; 0: nobody measured it
};

}  // namespace lorica
