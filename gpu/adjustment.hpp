#pragma once

#include <cstddef>
#include <cstdint>

#include "core/error.hpp"
#include "core/ids.hpp"
#include "gpu/sampling_row.hpp"
#include "gpu/stream.hpp"
#include "gpu/summary.hpp"

namespace lorica::gpu {

/// Logits after rules and penalties: y = x masked, biased, marked and penalised, as `engine/sampler` does,
/// bit for bit. Readings that change nothing are passed over, and their y is not written.
///
/// x is float32 [rows, vocab], rows `x_stride` elements apart, and y likewise; pieces [rows,
/// summary_pieces(vocab)] have been summarised: what is chosen from is told anew. readings are [rows];
/// history [slots][history_stride]; words as they refer to them. Everything lies on the device. A block of
/// threads per 4096 ids of a row, which walks over the row's history.
struct adjustment_args {
  const float* x = nullptr;
  std::size_t x_stride = 0;  ///< elements
  std::uint32_t rows = 0;
  std::uint32_t vocab = 0;
  std::uint32_t token_ids = 0;
  const sampling_row* readings = nullptr;
  const token_id* history = nullptr;
  std::size_t history_stride = 0;
  const std::uint32_t* words = nullptr;
  float* y = nullptr;
  std::size_t y_stride = 0;  ///< elements
  logit_piece* pieces = nullptr;
};

result<void> adjust(const adjustment_args& a, const stream& s);

}  // namespace lorica::gpu
