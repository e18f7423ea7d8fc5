#pragma once

#include <cstddef>
#include <cstdint>

#include "cpu/weight_format.hpp"

namespace lorica {

/// Rows of A that lie and are multiplied together, where A and B are codes.
inline constexpr std::uint32_t rank_lanes = 16;

/// Low-rank inputs of a site are so many codes at a time; its rank is padded to a multiple.
inline constexpr std::uint32_t rank_multiple = 4;

/// Bytes of 32 outputs of B: [2][rank / 4][16 outputs][4] codes of 8 bits, 128 added, then [32] scales as
/// bfloat16. w = scale (code - 128).
constexpr std::uint64_t coded_b_bytes(std::uint32_t rank) noexcept {
  return std::uint64_t{block_outputs} * rank + block_outputs * sizeof(std::uint16_t);
}

/// Bytes of the stacked A: [ranks / 16][depth / 4][16 ranks][4] codes of 8 bits, 128 added; the ranks are
/// padded to whole vectors.
constexpr std::uint64_t coded_a_bytes(std::uint32_t ranks, std::uint32_t depth) noexcept {
  return std::uint64_t{(ranks + rank_lanes - 1) / rank_lanes * rank_lanes} * depth;
}

/// u = w * s ⊙ (X Aᵀ) as in lora.hpp, with A and X as codes; u is float32. What is written is whole vectors
/// of sixteen ranks.
struct shrink_codes_args {
  const input_group* x = nullptr;
  std::size_t x_stride = 0;  ///< groups from row to row
  std::uint32_t rows = 0;
  const std::byte* a = nullptr;
  std::uint32_t depth = 0;  ///< multiple of 32
  std::uint32_t ranks = 0;
  const float* scales = nullptr;   ///< [ranks] of the codes, zero where there is only padding
  const float* scaling = nullptr;  ///< [ranks], or null
  float weight = 1;
  float* u = nullptr;
  std::size_t u_stride = 0;
  high_codes high = {};  ///< of x
};

/// The low-rank inputs of one site of one row as groups of codes: [ceil(rank / 32)], zero behind the rank.
/// What lies behind u in the same vector of sixteen is read.
struct quantise_low_rank_args {
  const float* u = nullptr;
  std::uint32_t rank = 0;
  input_group* groups = nullptr;
};

/// Y += U Bᵀ for one site, with both as codes; Y is [rows, blocks * 32].
struct expand_codes_args {
  const input_group* u = nullptr;
  std::size_t u_stride = 0;  ///< groups from row to row
  std::uint32_t rows = 0;
  const std::byte* b = nullptr;
  std::uint32_t rank = 0;  ///< multiple of 4
  std::uint32_t blocks = 0;
  float* y = nullptr;
  std::size_t y_stride = 0;
};

using shrink_codes_kernel = void (*)(const shrink_codes_args&);
using quantise_low_rank_kernel = void (*)(const quantise_low_rank_args&);
using expand_codes_kernel = void (*)(const expand_codes_args&);

}  // namespace lorica
