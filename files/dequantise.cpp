#include "files/dequantise.hpp"

#include <cstring>

namespace lorica {
namespace {

constexpr std::size_t block = 32;
constexpr std::size_t wide_block = 256;  // of the K types

std::uint16_t load_u16(const std::byte* from) noexcept {
  std::uint16_t out = 0;
  std::memcpy(&out, from, sizeof out);
  return out;
}

float load_half(const std::byte* from) noexcept {
  return half_to_float(load_u16(from));
}

int low_nibble(std::byte b) noexcept {
  return std::to_integer<int>(b) & 15;
}
int high_nibble(std::byte b) noexcept {
  return std::to_integer<int>(b) >> 4;
}

// f16 d, 32 x i8: d * q.
void expand_q8_0(const std::byte* from, float* to) noexcept {
  const float d = load_half(from);
  std::int8_t q[block];
  std::memcpy(q, from + 2, sizeof q);
  for (std::size_t i = 0; i < block; ++i)
    to[i] = d * static_cast<float>(q[i]);
}

// f16 d, 16 bytes: d * (q - 8); low nibbles are elements 0..15, high ones 16..31.
void expand_q4_0(const std::byte* from, float* to) noexcept {
  const float d = load_half(from);
  const std::byte* q = from + 2;
  for (std::size_t i = 0; i < block / 2; ++i) {
    to[i] = d * static_cast<float>(low_nibble(q[i]) - 8);
    to[i + block / 2] = d * static_cast<float>(high_nibble(q[i]) - 8);
  }
}

// f16 d, f16 m, 16 bytes: d * q + m, the product rounded before the sum (no FMA: see CMakeLists.txt).
void expand_q4_1(const std::byte* from, float* to) noexcept {
  const float d = load_half(from);
  const float m = load_half(from + 2);
  const std::byte* q = from + 4;
  for (std::size_t i = 0; i < block / 2; ++i) {
    to[i] = d * static_cast<float>(low_nibble(q[i])) + m;
    to[i + block / 2] = d * static_cast<float>(high_nibble(q[i])) + m;
  }
}

// 32 numbers of 5 bits: u32 with the fifth bit of number j in bit j, then nibbles as in Q4_0.
void unpack_fives(const std::byte* from, int (&out)[block]) noexcept {
  const std::byte* q = from + 4;
  for (std::size_t i = 0; i < block / 2; ++i) {
    out[i] = low_nibble(q[i]);
    out[i + block / 2] = high_nibble(q[i]);
  }
  for (std::size_t i = 0; i < block; ++i)
    out[i] |= (std::to_integer<int>(from[i / 8]) >> i % 8 & 1) << 4;
}

// f16 d, 32 numbers of 5 bits: d * (q - 16).
void expand_q5_0(const std::byte* from, float* to) noexcept {
  const float d = load_half(from);
  int q[block];
  unpack_fives(from + 2, q);
  for (std::size_t i = 0; i < block; ++i)
    to[i] = d * static_cast<float>(q[i] - 16);
}

// f16 d, f16 m, 32 numbers of 5 bits: d * q + m.
void expand_q5_1(const std::byte* from, float* to) noexcept {
  const float d = load_half(from);
  const float m = load_half(from + 2);
  int q[block];
  unpack_fives(from + 4, q);
  for (std::size_t i = 0; i < block; ++i)
    to[i] = d * static_cast<float>(q[i]) + m;
}

/// Scale and minimum of one sub-block of 32.
struct sub_scale {
  float scale, min;
};

// f16 d, f16 dmin, 12 bytes with 8 pairs of 6-bit numbers. The first four pairs are the low 6 bits of bytes j
// and j + 4; the others have their low 4 bits in byte j + 4 and their high 2 bits above the first four pairs.
sub_scale scale_of(const std::byte* from, std::size_t j) noexcept {
  const std::byte* q = from + 4;
  auto bits = [&](std::size_t at) { return std::to_integer<int>(q[at]); };
  const int scale = j < 4 ? bits(j) & 63 : (bits(j + 4) & 15) | (bits(j - 4) >> 6) << 4;
  const int min = j < 4 ? bits(j + 4) & 63 : bits(j + 4) >> 4 | (bits(j) >> 6) << 4;
  return {load_half(from) * static_cast<float>(scale), load_half(from + 2) * static_cast<float>(min)};
}

constexpr std::size_t scale_bytes = 16;  // d, dmin and the pairs

// Scales, 128 bytes: d * scale * q - dmin * min. 32 bytes hold sub-block 2c in their low nibbles and 2c + 1
// in their high ones.
void expand_q4_k(const std::byte* from, float* to) noexcept {
  const std::byte* q = from + scale_bytes;
  for (std::size_t j = 0; j < wide_block / block; j += 2, q += block, to += 2 * block) {
    const auto even = scale_of(from, j);
    const auto odd = scale_of(from, j + 1);
    for (std::size_t l = 0; l < block; ++l) {
      to[l] = even.scale * static_cast<float>(low_nibble(q[l])) - even.min;
      to[l + block] = odd.scale * static_cast<float>(high_nibble(q[l])) - odd.min;
    }
  }
}

// As Q4_K with 32 bytes after the scales: bit j of byte l is the fifth bit of element l in sub-block j.
void expand_q5_k(const std::byte* from, float* to) noexcept {
  const std::byte* fifths = from + scale_bytes;
  const std::byte* q = fifths + block;
  for (std::size_t j = 0; j < wide_block / block; j += 2, q += block, to += 2 * block) {
    const auto even = scale_of(from, j);
    const auto odd = scale_of(from, j + 1);
    for (std::size_t l = 0; l < block; ++l) {
      const int bits = std::to_integer<int>(fifths[l]) >> j;
      to[l] = even.scale * static_cast<float>(low_nibble(q[l]) | (bits & 1) << 4) - even.min;
      to[l + block] = odd.scale * static_cast<float>(high_nibble(q[l]) | (bits & 2) << 3) - odd.min;
    }
  }
}

// 128 bytes of low nibbles, 64 bytes of high bit pairs, 16 x i8 scales, f16 d: d * scale * (q - 32), a scale
// for 16 elements. Each half of 128 elements is four runs of 32: nibbles low, low, high, high of 2 x 32
// bytes, pairs from the lowest to the highest of 32 bytes.
void expand_q6_k(const std::byte* from, float* to) noexcept {
  const std::byte* low = from;
  const std::byte* high = from + 128;
  const std::byte* scales = from + 192;
  const float d = load_half(from + 208);
  for (std::size_t run = 0; run < wide_block / block; ++run, to += block) {
    const std::byte* nibbles = low + 64 * (run / 4) + block * (run % 2);
    const std::byte* pairs = high + block * (run / 4);
    const int nibble_shift = run % 4 < 2 ? 0 : 4;
    const int pair_shift = 2 * static_cast<int>(run % 4);
    for (std::size_t l = 0; l < block; ++l) {
      const int q = (std::to_integer<int>(nibbles[l]) >> nibble_shift & 15) |
                    (std::to_integer<int>(pairs[l]) >> pair_shift & 3) << 4;
      to[l] = static_cast<float>(q - 32);
    }
    for (std::size_t part = 0; part < 2; ++part) {
      const float scale = d * static_cast<float>(static_cast<std::int8_t>(scales[2 * run + part]));
      for (std::size_t l = 0; l < 16; ++l)
        to[16 * part + l] *= scale;
    }
  }
}

template <void (*Expand)(const std::byte*, float*) noexcept>
void expand_blocks(tensor_type type, const std::byte* from, std::span<float> out) {
  const std::size_t elements = block_elements(type);
  for (std::size_t i = 0; i < out.size(); i += elements, from += block_bytes(type))
    Expand(from, out.data() + i);
}

}  // namespace

float half_to_float(std::uint16_t bits) noexcept {
  const auto sign = static_cast<std::uint32_t>(bits & 0x8000u) << 16;
  const std::uint32_t magnitude = bits & 0x7fffu;
  std::uint32_t wide = 0;
  if (magnitude >= 0x7c00u) {
    wide = 0x7f800000u | (magnitude << 13);
  } else if (magnitude >= 0x0400u) {
    wide = (magnitude << 13) + (112u << 23);
  } else {
    // Denormal halves are normal floats; the product is exact, also with denormals switched off.
    const float tiny = static_cast<float>(static_cast<int>(magnitude)) * 0x1p-24f;
    std::memcpy(&wide, &tiny, sizeof wide);
  }
  wide |= sign;
  float out = 0;
  std::memcpy(&out, &wide, sizeof out);
  return out;
}

void dequantise(tensor_type type, std::span<const std::byte> bytes, std::span<float> out) {
  const std::byte* from = bytes.data();
  switch (type) {
    case tensor_type::f32:
      if (!out.empty()) std::memcpy(out.data(), from, out.size() * sizeof(float));
      return;
    case tensor_type::f16:
      for (std::size_t i = 0; i < out.size(); ++i)
        out[i] = load_half(from + 2 * i);
      return;
    case tensor_type::bf16:
      for (std::size_t i = 0; i < out.size(); ++i)
        out[i] = bfloat_to_float(load_u16(from + 2 * i));
      return;
    case tensor_type::q8_0: return expand_blocks<expand_q8_0>(type, from, out);
    case tensor_type::q4_0: return expand_blocks<expand_q4_0>(type, from, out);
    case tensor_type::q4_1: return expand_blocks<expand_q4_1>(type, from, out);
    case tensor_type::q5_0: return expand_blocks<expand_q5_0>(type, from, out);
    case tensor_type::q5_1: return expand_blocks<expand_q5_1>(type, from, out);
    case tensor_type::q4_k: return expand_blocks<expand_q4_k>(type, from, out);
    case tensor_type::q5_k: return expand_blocks<expand_q5_k>(type, from, out);
    case tensor_type::q6_k: return expand_blocks<expand_q6_k>(type, from, out);
  }
}

}  // namespace lorica
