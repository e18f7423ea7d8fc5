#pragma once

#include <cstdint>
#include <span>

#include "core/error.hpp"
#include "gpu/lora.hpp"
#include "gpu/lora_choice.hpp"

namespace lorica::gpu {

/// What a step's tiles are cut from.
struct lora_tiling_args {
  std::span<const lora_segment> segments;
  std::span<const std::uint32_t> widths;  ///< [segments] ranks of all uses, in the widest group
  std::uint32_t deepest = 0;              ///< most inputs of any group
  std::uint64_t inputs = 0;  ///< floats that there is room for; at least rows * width of all segments
  lora_choice choice = {};   ///< segments of more rows than it says are cut in tiles of many
};

/// Writes the tiles of a step and counts[2]; both lists have room for `most_lora_tiles`. What is returned is
/// the grid of the step itself; a recorded step takes a grid of its own. `errc::internal` when the room is
/// too small: for tiles, or for inputs.
result<lora_grid> cut_lora_tiles(const lora_tiling_args& a, std::span<lora_tile> few,
                                 std::span<lora_tile> many, std::span<std::uint32_t> counts);

/// Tiles of each kind that `rows` rows need at most, in any segments.
constexpr std::uint32_t most_lora_tiles(std::uint32_t rows) noexcept {
  return rows;
}

/// Floats for the low-rank inputs of any step with `rows` rows, whose compositions have at most `width` ranks
/// in a group: one plane for all, and the planes of `few` of the rows.
constexpr std::uint64_t lora_input_floats(std::uint32_t rows, std::uint32_t few, std::uint32_t width,
                                          std::uint32_t deepest) noexcept {
  return std::uint64_t{width} * (rows + std::uint64_t{few} * (lora_planes(deepest) - 1));
}

}  // namespace lorica::gpu
