#pragma once

#include <cstddef>
#include <cstdint>

namespace lorica {

/// Rows of A that lie and are multiplied together.
inline constexpr std::uint32_t rank_tile = 4;

/// U = w * s ⊙ (X Aᵀ): the low-rank inputs of a segment (Hu et al. 2021, section 4.1); without s where
/// adapters are merged, whose inputs are added up first. The way back, Y += U Bᵀ, is a `gemm` that adds.
///
/// X is [rows, depth], rows `x_stride` elements apart, depth a multiple of 32. A is [ranks, depth], the
/// projections that read the same X stacked, in tiles of four ranks (the last one narrower): [depth /
/// g][tile][g] with g = 16 in float32 and 32 in bfloat16, so that it is read front to back and no rank is
/// padded. X and A have the format of the kernel. s is [ranks] or null, w the weight of the adapter in its
/// composition. U is [rows, ranks] in that format, rows `u_stride` elements apart.
///
/// One output is a sum over sixteen lanes of k, each a chain, joined as a tree: rows, tiles and threads do
/// not enter. A thread is handed rows.
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
