#pragma once

#include <cstddef>
#include <cstdint>

#include "core/error.hpp"
#include "gpu/adapter_table.hpp"
#include "gpu/bfloat.hpp"
#include "gpu/step_tables.hpp"
#include "gpu/stream.hpp"

namespace lorica::gpu {

/// Rows of a tile, in the two ways to share rows out: few, so that one row wastes little, or many that read A
/// and B once for all. Both compute the same bits.
inline constexpr std::uint32_t few_tile_rows = 8;
inline constexpr std::uint32_t many_tile_rows = 32;

/// Neighbouring rows of one segment that are computed together, and where their low-rank inputs lie: element
/// [plane][row][column] is inputs[first_input + (plane * rows + row) * width + column].
struct lora_tile {
  std::uint32_t segment = 0;
  std::uint32_t first_row = 0;
  std::uint32_t rows = 0;
  std::uint32_t width = 0;  ///< at least the ranks of all uses of the segment in any group
  std::uint32_t first_input = 0;
  std::uint32_t apart = 0;  ///< 1: every plane of the depth is kept; 0: their sum, as one plane
};

/// The tiles of a step: those of few rows, those of many, and how many there are of each.
struct lora_tiles {
  const lora_tile* few = nullptr;
  const lora_tile* many = nullptr;
  const std::uint32_t* counts = nullptr;  ///< [2]: few, many
};

/// How wide the launches are; what does not fit is done by the same threads one after the other, so that
/// numbers that change do not. 0 tiles: no launch.
struct lora_grid {
  std::uint32_t few = 0;    ///< tiles
  std::uint32_t many = 0;   ///< tiles
  std::uint32_t ranks = 1;  ///< most ranks of a segment's uses in a group
};

/// Inputs of a map that are summed by themselves, then in order: a function of the depth alone.
inline constexpr std::uint32_t plane_depth = 1024;
LORICA_BOTH constexpr std::uint32_t lora_planes(std::uint32_t depth) noexcept {
  return (depth + plane_depth - 1) / plane_depth;
}

/// What the adapters of a step do to one group of a layer (Hu et al. 2021, section 4.1), in two launches:
/// `lora_shrink`, inputs = X Aᵀ for every use of every segment, and `lora_expand`, for every segment
///
///   Y += sum over uses in order of w (g ⊙ (Y − b) + o) + u Bᵀ,   u = bfloat16(w s inputs),
///
/// or u_i = bfloat16(s w_i (bfloat16(w_1 inputs_1) + …)) where adapters are merged, s being the segment's.
///
/// X is bfloat16 [rows, depth], rows `x_stride` elements apart, on 16 bytes, as multiples of 8. Y is [rows,
/// outputs] in `format`, rows `y_stride` apart; part p has its outputs [first_output[p], first_output[p +
/// 1]). b is the base's bias, [outputs] in `format`, or null; it only matters with DoRA. inputs is float32
/// (lora_tiling.hpp). Rows that are in no segment are neither read nor written. A row's bits depend on the
/// row and its adapters only: not on neighbours, tiles or the grid. Fast where parts of Y are on 16 bytes.
struct lora_args {
  adapter_table table;
  std::uint32_t group = 0;  ///< `group_index`
  const lora_segment* segments = nullptr;
  const lora_use* uses = nullptr;
  lora_tiles tiles;
  lora_grid grid;
  const bfloat* x = nullptr;
  std::size_t x_stride = 0;  ///< elements
  std::uint32_t depth = 0;
  float* inputs = nullptr;
  const void* base_bias = nullptr;
  void* y = nullptr;
  number_format format = number_format::bfloat16;
  std::size_t y_stride = 0;  ///< elements
  std::uint32_t parts = 1;
  std::uint32_t first_output[most_parts + 1] = {};
};

/// Reads X, writes inputs: it can run beside the base's product. The inputs must not be read any more.
result<void> lora_shrink(const lora_args& a, const stream& s);

/// Reads inputs and changes Y, where the base's product is.
result<void> lora_expand(const lora_args& a, const stream& s);

}  // namespace lorica::gpu
