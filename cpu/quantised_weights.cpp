#include "cpu/quantised_weights.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "cpu/bfloat.hpp"
#include "files/dequantise.hpp"

namespace lorica {
namespace {

constexpr std::uint32_t nibble_bytes = 512;  // of 32 outputs by 32 depths
constexpr std::uint32_t byte_bytes = 1024;

std::uint32_t code_bytes(weight_format f) noexcept {
  return f == weight_format::q8_0 ? byte_bytes : nibble_bytes;
}

/// Where the code of depth `k` of an output lies in a group: its byte, and the shift within it.
struct code_place {
  std::size_t byte;
  int shift;
};

code_place place_of(weight_format f, std::uint32_t lane, std::uint32_t k) noexcept {
  const std::size_t half = std::size_t{lane / 16} * (code_bytes(f) / 2);
  const std::size_t column = std::size_t{lane % 16} * 4 + k % 4;
  if (f == weight_format::q8_0) return {half + std::size_t{k / 4} * 64 + column, 0};
  return {half + std::size_t{k / 8} * 64 + column, k % 8 < 4 ? 0 : 4};
}

std::uint16_t load_u16(const std::byte* from) noexcept {
  std::uint16_t out = 0;
  std::memcpy(&out, from, sizeof out);
  return out;
}

/// A block of a GGUF file.
void read_stored(tensor_type type, const std::byte* from, weight_group& out) noexcept {
  out.scale = load_u16(from);
  from += sizeof out.scale;
  if (type == tensor_type::q8_0) {
    for (std::size_t i = 0; i < depth_multiple; ++i)
      out.codes[i] = static_cast<std::uint8_t>(from[i] ^ std::byte{128});
    return;
  }
  if (type == tensor_type::q4_1) {
    out.minimum = load_u16(from);
    from += sizeof out.minimum;
  }
  for (std::size_t i = 0; i < depth_multiple / 2; ++i) {
    out.codes[i] = std::to_integer<std::uint8_t>(from[i] & std::byte{15});
    out.codes[i + depth_multiple / 2] = std::to_integer<std::uint8_t>(from[i] >> 4);
  }
}

/// scale = max |w| / 127 as a half, code = w / scale rounded.
void quantise(std::span<const float> weights, weight_group& out) noexcept {
  float size = 0;
  for (auto w : weights)
    size = std::max(size, std::abs(w));
  out.scale = to_half(size / 127.0f);
  const float scale = half_to_float(out.scale);
  for (std::size_t i = 0; i < depth_multiple; ++i) {
    const float code = i < weights.size() && scale > 0 ? std::nearbyint(weights[i] / scale) : 0.0f;
    out.codes[i] = static_cast<std::uint8_t>(static_cast<int>(std::clamp(code, -127.0f, 127.0f)) + 128);
  }
}

/// The shift of a group of q4_1.
std::uint16_t shift_of(const weight_group& g) noexcept {
  return to_bfloat(half_to_float(g.minimum) + 8 * half_to_float(g.scale));
}

/// Where it lies in a block of `groups`, in bytes from the block's begin.
std::size_t shift_place(std::uint32_t group, std::uint32_t groups, std::uint32_t lane) noexcept {
  constexpr std::size_t size = group_bytes(weight_format::q4_1);
  constexpr std::size_t within = size - block_outputs * sizeof(std::uint16_t);
  const bool alone = group % 2 == 0 && group + 1 == groups;
  if (alone) return group * size + within + lane * sizeof(std::uint16_t);
  const std::size_t behind = group / 2 * 2 + lane / 16;
  return behind * size + within + (lane % 16 * std::size_t{2} + group % 2) * sizeof(std::uint16_t);
}

float weight_of(weight_format f, int code, float scale, float shift) noexcept {
  if (f == weight_format::q8_0) return scale * static_cast<float>(code - 128);
  return scale * static_cast<float>(code - 8) + shift;
}

}  // namespace

std::uint16_t to_half(float x) noexcept {
  std::uint32_t bits = 0;
  std::memcpy(&bits, &x, sizeof bits);
  const std::uint32_t sign = bits >> 16 & 0x8000u;
  const std::uint32_t size = bits & 0x7fffffffu;
  if (size > 0x7f800000u) return static_cast<std::uint16_t>(sign | 0x7e00u);
  if (size >= 0x477ff000u) return static_cast<std::uint16_t>(sign | 0x7c00u);
  if (size < 0x38800000u)
    return static_cast<std::uint16_t>(sign |
                                      static_cast<std::uint32_t>(std::nearbyint(std::abs(x) * 0x1p24f)));
  const std::uint32_t rounded = size + 0x0fffu + (size >> 13 & 1u);
  return static_cast<std::uint16_t>(sign | (rounded - 0x38000000u) >> 13);
}

weight_format quantised_format(tensor_type stored) noexcept {
  switch (stored) {
    case tensor_type::q4_0: return weight_format::q4_0;
    case tensor_type::q4_1: return weight_format::q4_1;
    default: return weight_format::q8_0;
  }
}

void read_groups(const tensor_view& view, std::uint64_t row, weight_format format,
                 std::span<weight_group> out) {
  const bool own = quantised_format(view.type) == format &&
                   (format != weight_format::q8_0 || view.type == tensor_type::q8_0);
  if (own) {
    const auto* from = view.row_bytes(row).data();
    for (auto& g : out) {
      read_stored(view.type, from, g);
      from += block_bytes(view.type);
    }
    return;
  }
  std::vector<float> weights(static_cast<std::size_t>(view.cols));
  view.read_rows(row, weights);
  for (std::size_t g = 0; g < out.size(); ++g) {
    const auto first = g * depth_multiple;
    quantise(std::span(weights).subspan(first, std::min<std::size_t>(depth_multiple, weights.size() - first)),
             out[g]);
  }
}

void read_quantised_rows(const tensor_view& view, std::uint64_t first, weight_format format,
                         std::span<float> out) {
  const auto width = static_cast<std::size_t>(view.cols);
  std::vector<weight_group> groups((width + depth_multiple - 1) / depth_multiple);
  for (std::size_t at = 0; at < out.size(); at += width) {
    read_groups(view, first + at / width, format, groups);
    for (std::size_t k = 0; k < width; ++k) {
      auto& g = groups[k / depth_multiple];
      const float shift = format == weight_format::q4_1 ? from_bfloat(shift_of(g)) : 0.0f;
      out[at + k] = weight_of(format, g.codes[k % depth_multiple], half_to_float(g.scale), shift);
    }
  }
}

void pack_groups(weight_format format, const weight_group* const (&rows)[block_outputs], std::uint32_t groups,
                 std::byte* out) noexcept {
  const std::size_t size = group_bytes(format);
  std::memset(out, 0, groups * size);
  for (std::uint32_t lane = 0; lane < block_outputs; ++lane) {
    if (!rows[lane]) continue;
    for (std::uint32_t g = 0; g < groups; ++g) {
      auto* group = out + g * size;
      auto& from = rows[lane][g];
      for (std::uint32_t k = 0; k < depth_multiple; ++k) {
        const auto to = place_of(format, lane, k);
        group[to.byte] |= std::byte{from.codes[k]} << to.shift;
      }
      std::memcpy(group + code_bytes(format) + lane * sizeof from.scale, &from.scale, sizeof from.scale);
      if (format != weight_format::q4_1) continue;
      const auto shift = shift_of(from);
      std::memcpy(out + shift_place(g, groups, lane), &shift, sizeof shift);
    }
  }
}

void unpack_output(weight_format format, const std::byte* block, std::uint32_t groups, std::uint32_t lane,
                   std::span<float> out) noexcept {
  const int most = format == weight_format::q8_0 ? 255 : 15;
  for (std::uint32_t k = 0; k < out.size(); ++k) {
    const auto g = k / depth_multiple;
    const auto* group = block + std::size_t{g} * group_bytes(format);
    const auto at = place_of(format, lane, k % depth_multiple);
    const float shift =
        format == weight_format::q4_1 ? from_bfloat(load_u16(block + shift_place(g, groups, lane))) : 0.0f;
    out[k] = weight_of(format, std::to_integer<int>(group[at.byte]) >> at.shift & most,
                       half_to_float(load_u16(group + code_bytes(format) + std::size_t{2} * lane)), shift);
  }
}

}  // namespace lorica
