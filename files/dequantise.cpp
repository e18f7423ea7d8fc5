#include "files/dequantise.hpp"

#include <cstring>

namespace lorica {
namespace {

constexpr std::size_t block = 32;

std::uint16_t load_u16(const std::byte* from) noexcept {
  std::uint16_t out = 0;
  std::memcpy(&out, from, sizeof out);
  return out;
}

std::uint32_t nibble_low(std::byte b) noexcept {
  return std::to_integer<std::uint32_t>(b) & 15;
}
std::uint32_t nibble_high(std::byte b) noexcept {
  return std::to_integer<std::uint32_t>(b) >> 4;
}

// f16 d, 32 x i8: d * q.
void expand_q8_0(const std::byte* from, float* to) noexcept {
  const float d = half_to_float(load_u16(from));
  std::int8_t q[block];
  std::memcpy(q, from + 2, sizeof q);
  for (std::size_t i = 0; i < block; ++i)
    to[i] = d * static_cast<float>(q[i]);
}

// f16 d, 16 bytes: d * (q - 8); low nibbles are elements 0..15, high ones 16..31.
void expand_q4_0(const std::byte* from, float* to) noexcept {
  const float d = half_to_float(load_u16(from));
  const std::byte* q = from + 2;
  for (std::size_t i = 0; i < block / 2; ++i) {
    to[i] = d * static_cast<float>(static_cast<int>(nibble_low(q[i])) - 8);
    to[i + block / 2] = d * static_cast<float>(static_cast<int>(nibble_high(q[i])) - 8);
  }
}

// f16 d, f16 m, 16 bytes: d * q + m, the product rounded before the sum (no FMA: see CMakeLists.txt).
void expand_q4_1(const std::byte* from, float* to) noexcept {
  const float d = half_to_float(load_u16(from));
  const float m = half_to_float(load_u16(from + 2));
  const std::byte* q = from + 4;
  for (std::size_t i = 0; i < block / 2; ++i) {
    to[i] = d * static_cast<float>(static_cast<int>(nibble_low(q[i]))) + m;
    to[i + block / 2] = d * static_cast<float>(static_cast<int>(nibble_high(q[i]))) + m;
  }
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
        out[i] = half_to_float(load_u16(from + 2 * i));
      return;
    case tensor_type::bf16:
      for (std::size_t i = 0; i < out.size(); ++i)
        out[i] = bfloat_to_float(load_u16(from + 2 * i));
      return;
    case tensor_type::q8_0:
      for (std::size_t i = 0; i < out.size(); i += block, from += block_bytes(type))
        expand_q8_0(from, out.data() + i);
      return;
    case tensor_type::q4_0:
      for (std::size_t i = 0; i < out.size(); i += block, from += block_bytes(type))
        expand_q4_0(from, out.data() + i);
      return;
    case tensor_type::q4_1:
      for (std::size_t i = 0; i < out.size(); i += block, from += block_bytes(type))
        expand_q4_1(from, out.data() + i);
      return;
  }
}

}  // namespace lorica
