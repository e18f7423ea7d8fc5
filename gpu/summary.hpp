#pragma once

#include <cstddef>
#include <cstdint>

#include "core/error.hpp"
#include "core/ids.hpp"
#include "gpu/bfloat.hpp"
#include "gpu/stream.hpp"

namespace lorica::gpu {

/// Logits that are summarised together, whatever the number of rows.
inline constexpr std::uint32_t summary_logits = 1024;

LORICA_BOTH constexpr std::uint32_t summary_pieces(std::uint32_t vocab) noexcept {
  return (vocab + summary_logits - 1) / summary_logits;
}

/// Of `summary_logits` neighbouring logits, or what is left of them at the end.
struct logit_piece {
  double sum = 0;              ///< of exp(x - peak); not a number where an x is none, or all are -inf
  float peak = 0;              ///< the largest; what is no number is passed over
  token_id at = no_token;      ///< the first of the largest; `no_token` where nothing is a number
  float chosen_peak = 0;       ///< the same of what a token is chosen from: lower ids than `token_ids`,
  token_id chosen = no_token;  ///< after rules and penalties; `no_token`: nothing is above -inf
};

/// The largest logit of each piece, where it is, and the sum of exp(x - largest).
///
/// x is float32 [rows, vocab], rows `x_stride` elements apart; pieces [rows, summary_pieces(vocab)]. Ids from
/// `token_ids` on are never chosen; 0: all may be. Bits depend on the row only. A warp per piece.
struct summary_args {
  const float* x = nullptr;
  std::size_t x_stride = 0;  ///< elements
  std::uint32_t rows = 0;
  std::uint32_t vocab = 0;
  std::uint32_t token_ids = 0;
  logit_piece* pieces = nullptr;
};

result<void> summarise(const summary_args& a, const stream& s);

}  // namespace lorica::gpu
