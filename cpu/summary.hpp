#pragma once

#include <cstddef>
#include <cstdint>

namespace lorica {

/// Logits that are summarised together: whole blocks of outputs, whatever the number of threads.
inline constexpr std::uint32_t summary_logits = 1024;

/// Of `summary_logits` neighbouring logits, or what is left of them at the end.
struct logit_piece {
  float peak;
  float sum;  ///< of exp(x - peak); not a number where one of them is, or all are -inf
};

/// The largest x and the sum of exp(x - largest) over sixteen lanes, each a chain, joined as a tree.
///
/// x is float32 [count], count >= 1, with room up to a multiple of 16. A thread is handed whole pieces.
struct summary_args {
  const float* x = nullptr;
  std::uint32_t count = 0;
  logit_piece* piece = nullptr;
};

using summary_kernel = void (*)(const summary_args&);

}  // namespace lorica
