#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace lorica {

/// Outputs per block of packed weights.
inline constexpr std::uint32_t block_outputs = 32;

/// Depths of packed operands are padded with zeros to a multiple of this: the group that shares a scale.
inline constexpr std::uint32_t depth_multiple = 32;

/// How the weights of a linear map are stored once packed. The last three are the blocks of GGUF: 32 weights
/// of one output, along the depth, share a half-precision scale d (and a bfloat16 shift s):
///
///     q8_0  w = d (code - 128), 8 bits      q4_0  w = d (code - 8), 4 bits      q4_1  w = d (code - 8) + s,
///     4 bits
///
/// In a file q4_1 is d code + m, so s = m + 8 d: small beside d where weights lie around zero, and rounded by
/// less than a code of 8 bits would be.
enum class weight_format : std::uint8_t { float32, bfloat16, q8_0, q4_0, q4_1 };

constexpr std::string_view to_string(weight_format f) noexcept {
  constexpr std::string_view names[] = {"float32", "bfloat16", "q8_0", "q4_0", "q4_1"};
  return names[static_cast<std::size_t>(f)];
}

/// Weights are codes of 4 or 8 bits, and inputs are too.
constexpr bool is_quantised(weight_format f) noexcept {
  return f >= weight_format::q8_0;
}

/// Bytes of 32 outputs by 32 depths.
constexpr std::uint32_t group_bytes(weight_format f) noexcept {
  constexpr std::uint32_t sizes[] = {4096, 2048, 1024 + 64, 512 + 64, 512 + 128};
  return sizes[static_cast<std::size_t>(f)];
}

/// 32 neighbouring inputs of a quantised linear map: x = scale * code, with what the formats of weights need
/// of the codes' sum, so that every output shares it.
struct alignas(16) input_group {
  std::int8_t codes[depth_multiple];
  float scale;
  float scaled_sum;        ///< scale * sum of codes, rounded to bfloat16
  std::int32_t minus_8;    ///< -8 * sum of codes
  std::int32_t minus_128;  ///< -128 * sum of codes
};
static_assert(sizeof(input_group) == 48);

/// Rows of inputs may have a second plane of codes, for what sticks out: x = scale (code + 16 high). A row of
/// it is [depth] codes, then [depth / 32] bytes, whose bit j tells that quad j of that group has some. Where
/// a group has any, its codes are zero in the quads that have none; where it has none, nothing reads them.
/// The sums of a group are those of both.
struct high_codes {
  const std::int8_t* codes = nullptr;  ///< null: there are none
  std::size_t stride = 0;              ///< bytes from row to row

  const std::int8_t* row(std::size_t r) const noexcept { return codes + r * stride; }
  const std::uint8_t* marks(std::size_t r, std::uint32_t depth) const noexcept {
    return reinterpret_cast<const std::uint8_t*>(row(r) + depth);
  }
};

/// The most groups of a row that may have high codes.
inline constexpr std::uint32_t most_marked_groups = 256;

}  // namespace lorica
