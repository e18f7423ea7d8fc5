#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "files/tensor_type.hpp"

namespace lorica {

/// Expands stored elements to float32, bit-exact with ggml. `bytes` need not be aligned and holds exactly
/// `out.size()` elements of `type` (a multiple of `block_elements(type)`).
void dequantise(tensor_type type, std::span<const std::byte> bytes, std::span<float> out);

/// IEEE half to float32.
float half_to_float(std::uint16_t bits) noexcept;

/// bfloat16 to float32.
inline float bfloat_to_float(std::uint16_t bits) noexcept {
  auto wide = static_cast<std::uint32_t>(bits) << 16;
  float out = 0;
  __builtin_memcpy(&out, &wide, sizeof out);
  return out;
}

}  // namespace lorica
