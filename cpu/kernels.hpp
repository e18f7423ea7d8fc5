#pragma once

#include <cstddef>
#include <cstdint>

#include "cpu/isa.hpp"

namespace lorica {

/// Outputs that lie side by side in packed weights: a vector register's worth of float32 on AVX-512.
inline constexpr std::uint32_t lanes = 16;

/// How packed weights and KV pages are stored. float32 is the exact mode.
enum class cpu_dtype : std::uint8_t { float32, bfloat16 };

constexpr std::size_t element_bytes(cpu_dtype t) noexcept {
  return t == cpu_dtype::float32 ? 4 : 2;
}

/// y[m][n] (+)= sum_k x[m][k] * w[n][k] for output blocks [first_block, last_block) of 16. `w` is packed
/// [blocks][k][16]. Each output is one chain of fused multiply-adds over k = 0, 1, …: the order depends on K
/// alone.
struct gemm_arguments {
  const float* x = nullptr;  ///< [rows, k]
  std::size_t x_stride = 0;
  std::uint32_t rows = 0;
  std::uint32_t k = 0;
  std::uint32_t n = 0;  ///< outputs; lanes of the last block beyond it are not stored
  const void* w = nullptr;
  std::uint32_t first_block = 0;
  std::uint32_t last_block = 0;
  float* y = nullptr;  ///< [rows, n]
  std::size_t y_stride = 0;
  float scale = 1;   ///< of the sum
  bool add = false;  ///< add to y instead of overwriting it
};

/// u[m][j] = sum_k x[m][k] * a[j][k] for all `n` rows of A: many short outputs, so the lanes run along k in
/// sixteen partial sums that are joined by a fixed tree.
struct shrink_arguments {
  const float* x = nullptr;  ///< [rows, k]
  std::size_t x_stride = 0;
  std::uint32_t rows = 0;
  std::uint32_t k = 0;
  const void* a = nullptr;  ///< [n, k]
  std::uint32_t n = 0;
  float* u = nullptr;  ///< [rows, n]
  std::size_t u_stride = 0;
};

/// Attention of one query row and the query heads of one KV head over its pages, online softmax per page
/// (Milakov & Gimelshein 2018): pages in order, positions in order.
struct attention_arguments {
  const float* q = nullptr;          ///< [heads_per_kv][head_dim], neighbouring heads
  float* out = nullptr;              ///< same shape
  const std::byte* pages = nullptr;  ///< base of this layer and KV head's first page
  std::size_t page_bytes = 0;        ///< distance of two pages: page p holds K [tokens][head_dim], V the same
  std::size_t v_offset = 0;          ///< bytes from a page's K to its V
  const std::uint32_t* blocks = nullptr;
  std::uint32_t block_tokens = 0;
  std::uint32_t tokens = 0;  ///< positions to look at, the row's own included
  std::uint32_t heads_per_kv = 0;
  std::uint32_t head_dim = 0;
  float scale = 1;
};

/// The kernels of one instruction set and storage type. Pure functions; results agree between instruction
/// sets up to the rounding of fused operations.
struct kernel_set {
  void (*gemm)(const gemm_arguments&);
  void (*shrink)(const shrink_arguments&);
  void (*attention)(const attention_arguments&);
};

const kernel_set& kernels_for(isa i, cpu_dtype t);

}  // namespace lorica
