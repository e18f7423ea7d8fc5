#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

namespace lorica {

/// Nearest bfloat16, ties to even; NaN stays NaN.
inline std::uint16_t to_bfloat16(float v) noexcept {
  auto bits = std::bit_cast<std::uint32_t>(v);
  if (std::isnan(v)) return static_cast<std::uint16_t>((bits >> 16) | 0x40);
  return static_cast<std::uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

}  // namespace lorica
