#pragma once

#include <cstddef>
#include <cstdint>

#include "cpu/bfloat.hpp"

namespace lorica {

/// One element of a buffer in an executor's format, told by its size: float32 or bfloat16.
inline float read_number(const std::byte* from, std::uint32_t element_size, std::size_t index) noexcept {
  if (element_size == sizeof(float)) return reinterpret_cast<const float*>(from)[index];
  return from_bfloat(reinterpret_cast<const std::uint16_t*>(from)[index]);
}

inline void write_number(float number, std::byte* to, std::uint32_t element_size,
                         std::size_t index) noexcept {
  if (element_size == sizeof number)
    reinterpret_cast<float*>(to)[index] = number;
  else
    reinterpret_cast<std::uint16_t*>(to)[index] = to_bfloat(number);
}

}  // namespace lorica
