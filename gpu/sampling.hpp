#pragma once

#include <cstddef>
#include <cstdint>

#include "core/error.hpp"
#include "core/ids.hpp"
#include "gpu/sampling_row.hpp"
#include "gpu/stream.hpp"
#include "gpu/summary.hpp"

namespace lorica::gpu {

/// The largest vocabulary whose weights are summed without overflow.
inline constexpr std::uint32_t most_vocab = std::uint32_t{1} << 19;

/// Chooses the tokens of readings, or tells how likely prompt tokens are, as `engine/sampler` does with the
/// same random numbers. Weights are float32 with the bits of the CPU's; their sums are integers of 2^-44, so
/// that no order of adding them matters and a row's choice depends on the row only.
///
/// x is float32 [rows, vocab], rows `x_stride` elements apart, as the head gave them; y the same after
/// `adjust`; pieces [rows, summary_pieces(vocab)]; readings and results are [rows]. vocab <= `most_vocab`.
/// Ids from `token_ids` on are never chosen; 0: all may be. A block of threads per row.
struct sampling_args {
  const float* x = nullptr;
  std::size_t x_stride = 0;  ///< elements
  std::uint32_t rows = 0;
  std::uint32_t vocab = 0;
  std::uint32_t token_ids = 0;
  const sampling_row* readings = nullptr;
  const float* y = nullptr;
  std::size_t y_stride = 0;  ///< elements
  const logit_piece* pieces = nullptr;
  sampling_result* results = nullptr;
};

result<void> sample(const sampling_args& a, const stream& s);

}  // namespace lorica::gpu
