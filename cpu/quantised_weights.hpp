#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "cpu/weight_format.hpp"
#include "model/weights.hpp"

namespace lorica {

/// 32 weights of one output that share a scale, as in a file: `scale` and `minimum` are half precision.
struct weight_group {
  std::uint8_t codes[depth_multiple] = {};
  std::uint16_t scale = 0;
  std::uint16_t minimum = 0;
};

/// The quantised format that weights stored as `stored` are packed in: their own where there is one, else
/// q8_0, which is nearest.
weight_format quantised_format(tensor_type stored) noexcept;

/// Row `row` of `view` in groups of `format`, its own or q8_0; `out` has one for every 32 columns or part of
/// them.
void read_groups(const tensor_view& view, std::uint64_t row, weight_format format,
                 std::span<weight_group> out);

/// Rows [first, first + out.size() / cols) as products of `format` see them.
void read_quantised_rows(const tensor_view& view, std::uint64_t first, weight_format format,
                         std::span<float> out);

/// Writes one block of 32 outputs: `rows` are the outputs' groups, null for an output of zeros. A group of 32
/// depths is [2 halves][depths / 8][16 outputs][4] bytes of two codes each, the lower for depths 0 to 3 of
/// eight and the upper for depths 4 to 7 ([2][depths / 4][16][4] codes of 8 bits), then [32] scales. In q4_1
/// 64 bytes more hold shifts, [16 outputs][2 groups] for this group and a neighbour: those of the first
/// sixteen outputs behind an even group, those of the others behind the odd one that follows; behind a last
/// even group, [32] of its own.
void pack_groups(weight_format format, const weight_group* const (&rows)[block_outputs], std::uint32_t groups,
                 std::byte* out) noexcept;

/// Output `lane` of such a block of `groups`, [out.size()] of its depths.
void unpack_output(weight_format format, const std::byte* block, std::uint32_t groups, std::uint32_t lane,
                   std::span<float> out) noexcept;

/// float32 to half precision, rounded to nearest, ties to even.
std::uint16_t to_half(float x) noexcept;

}  // namespace lorica
