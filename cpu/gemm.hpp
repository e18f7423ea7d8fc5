#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "cpu/memory_ahead.hpp"
#include "cpu/weight_format.hpp"

namespace lorica {

/// What becomes of the products.
enum class gemm_into : std::uint8_t { store, add };

/// What an adapter adds to the outputs of blocks [first_block, first_block + blocks), to all rows alike:
/// U Bᵀ with both as codes (lora_codes.hpp).
struct low_rank_term {
  const input_group* u = nullptr;  ///< of the first row
  std::size_t u_stride = 0;        ///< groups from row to row
  const std::byte* b = nullptr;
  std::uint32_t rank = 0;
  std::uint32_t first_block = 0;
  std::uint32_t blocks = 0;
};

/// Y = X Wᵀ + b, or Y += X Wᵀ + b.
///
/// X is [rows, depth], rows `x_stride` elements apart, float32 or bfloat16 by kernel. W lies in blocks of 32
/// outputs: [blocks][depth][32] in float32, [blocks][depth / 2][32][2] in bfloat16. b is [blocks * 32] or
/// null. Y is float32 [rows, blocks * 32], rows `y_stride` elements apart.
///
/// One output is one chain of multiply-adds over k = 0, 1, … (pairs in bfloat16) from zero, then the bias,
/// then the old value: rows, tiles and threads do not enter. A thread is handed the blocks it owns.
struct gemm_args {
  const void* x = nullptr;
  std::size_t x_stride = 0;  ///< elements, or groups
  std::uint32_t rows = 0;
  const void* weights = nullptr;
  std::uint32_t depth = 0;  ///< even in bfloat16
  std::uint32_t blocks = 0;
  const float* bias = nullptr;
  float* y = nullptr;
  std::size_t y_stride = 0;  ///< elements
  gemm_into into = gemm_into::store;
  high_codes high = {};  ///< of x, where weights are quantised
  std::span<const low_rank_term> terms =
      {};                               ///< added last, one after the other, where weights are quantised
  const memory_ahead* ahead = nullptr;  ///< asked for on the way, where weights are quantised
};

using gemm_kernel = void (*)(const gemm_args&);

}  // namespace lorica
