#pragma once

#include <cstddef>
#include <cstdint>

namespace lorica {

/// U = w * s ⊙ (X Aᵀ): the low-rank inputs of a segment (Hu et al. 2021, section 4.1). The way back, Y += U
/// Bᵀ, is a `gemm` that adds.
///
/// X is [rows, depth]; A is [ranks, depth] row by row, the projections that read the same X stacked; both in
/// the same format, rows of X `x_stride` elements apart, depth a multiple of 32. s is [ranks], w the weight
/// of the adapter in its composition. U is [rows, ranks] in that format, rows `u_stride` elements apart.
///
/// One output is a sum over sixteen lanes of k, each a chain, joined as a tree: rows, tiles and threads do
/// not enter. A thread is handed the rows of A it owns.
struct shrink_args {
  const void* x = nullptr;
  std::size_t x_stride = 0;  ///< elements
  std::uint32_t rows = 0;
  const void* a = nullptr;
  std::uint32_t depth = 0;
  std::uint32_t ranks = 0;
  const float* scaling = nullptr;
  float weight = 1;
  void* u = nullptr;
  std::size_t u_stride = 0;  ///< elements
};

using shrink_kernel = void (*)(const shrink_args&);

}  // namespace lorica
