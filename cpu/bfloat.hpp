#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

namespace lorica {

/// float32 to bfloat16, to nearest, ties to even. For packing; kernels have their own.
inline std::uint16_t to_bfloat(float x) noexcept {
  auto bits = std::bit_cast<std::uint32_t>(x);
  return static_cast<std::uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

/// The same for neighbours.
void to_bfloats(const float* from, std::size_t count, std::uint16_t* out) noexcept;

inline float from_bfloat(std::uint16_t x) noexcept {
  return std::bit_cast<float>(std::uint32_t{x} << 16);
}

}  // namespace lorica
