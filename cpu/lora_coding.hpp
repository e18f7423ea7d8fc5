#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "cpu/weight_format.hpp"

namespace lorica {

/// Rows [first, first + rank) of a stacked A as codes of 8 bits with a scale for each row: scale = max |a| /
/// 127, code = a / scale rounded. `a` is [rank, cols], cols <= depth; `out` is the whole stack in the layout
/// of lora_codes.hpp. A row that holds a number that is not finite gets such a scale.
void pack_coded_a(std::span<const float> a, std::uint32_t rank, std::uint32_t depth, std::uint32_t first,
                  std::byte* out, float* scales) noexcept;

/// 32 outputs of B, each a row of `rank` numbers (null: zeros), with a scale for each output; `padded` is the
/// stored rank.
void pack_coded_block(const float* const (&rows)[block_outputs], std::uint32_t rank, std::uint32_t padded,
                      std::byte* out) noexcept;

}  // namespace lorica
