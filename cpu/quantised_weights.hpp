#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "cpu/weight_format.hpp"
#include "model/weights.hpp"

namespace lorica {

/// 32 weights of one output that share a scale, as weight_format.hpp says; `scale` and `minimum` are half
/// precision.
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

/// Writes one block of 32 outputs in the layout of gemm.hpp: `rows` are the outputs' groups, null for an
/// output of zeros.
void pack_groups(weight_format format, const weight_group* const (&rows)[block_outputs], std::uint32_t groups,
                 std::byte* out) noexcept;

/// Output `lane` of such a block, [out.size()] of its depths.
void unpack_output(weight_format format, const std::byte* block, std::uint32_t lane,
                   std::span<float> out) noexcept;

/// float32 to half precision, rounded to nearest, ties to even.
std::uint16_t to_half(float x) noexcept;

}  // namespace lorica
