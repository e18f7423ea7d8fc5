#pragma once

#include <bit>
#include <cstdint>

#include "gpu/bfloat.hpp"

namespace lorica::gpu {

/// A number of 8 bits as it lies in memory: a sign, 4 bits of exponent, 3 of mantissa (E4M3 of the OCP 8-bit
/// floating point specification 1.0). No infinities; 0x7f and 0xff are no numbers.
struct e4m3 {
  std::uint8_t bits;
};

inline constexpr float largest_e4m3 = 448;

/// How the weights of the layers' linear maps lie on the device; fp8 is e4m3 with a scale for every output.
enum class weight_format : std::uint8_t { bfloat16, fp8 };

LORICA_BOTH inline float to_float(e4m3 x) noexcept {
  const std::uint32_t sign = std::uint32_t{x.bits & 0x80u} << 24, size = x.bits & 0x7fu;
  // The exponent counts from 2^-7 and not from 2^-127.
#ifdef __CUDA_ARCH__
  if (size == 0x7fu) return __uint_as_float(sign | 0x7fc00000u);
  return __uint_as_float(sign | size << 20) * 0x1p120f;
#else
  if (size == 0x7fu) return std::bit_cast<float>(sign | 0x7fc00000u);
  return std::bit_cast<float>(sign | size << 20) * 0x1p120f;
#endif
}

/// The bits of a float32, to nearest, ties to even; what is larger than the largest number becomes it,
/// infinities too, and what is no number becomes 0x7f (PTX ISA, cvt.rn.satfinite.e4m3x2.f32).
LORICA_BOTH inline std::uint8_t round_to_e4m3(std::uint32_t bits) noexcept {
  constexpr std::uint32_t exponents_apart = 127 - 7, least_normal = (exponents_apart + 1) << 23;
  const std::uint32_t size = bits & 0x7fffffffu;
  const std::uint32_t normal = ((size + 0x7ffffu + (size >> 20 & 1u)) >> 20) - (exponents_apart << 3);
  // Beside 2^14 the last place of a float32 is 2^-9, the least of these numbers.
#ifdef __CUDA_ARCH__
  const std::uint32_t small = __float_as_uint(__uint_as_float(size) + 0x1p14f) - __float_as_uint(0x1p14f);
#else
  const std::uint32_t small = std::bit_cast<std::uint32_t>(std::bit_cast<float>(size) + 0x1p14f) -
                              std::bit_cast<std::uint32_t>(0x1p14f);
#endif
  const std::uint32_t rounded = size < least_normal ? small : normal < 0x7eu ? normal : 0x7eu;
  return static_cast<std::uint8_t>(size > 0x7f800000u ? 0x7fu : rounded | bits >> 31 << 7);
}

/// As `round_to_e4m3` says; one instruction where the device has it.
LORICA_BOTH inline e4m3 to_e4m3(float x) noexcept {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 890
  std::uint16_t out;
  asm("cvt.rn.satfinite.e4m3x2.f32 %0, %1, %2;" : "=h"(out) : "f"(0.0f), "f"(x));
  return {static_cast<std::uint8_t>(out)};
#elif defined(__CUDA_ARCH__)
  return {round_to_e4m3(__float_as_uint(x))};
#else
  return {round_to_e4m3(std::bit_cast<std::uint32_t>(x))};
#endif
}

/// What the codes of a row are multiplied by, its largest number having the size `largest`: a number x of it
/// is the code of x * (1 / scale). Rows of next to nothing have codes of zero.
LORICA_BOTH inline float scale_of_codes(float largest) noexcept {
  return largest > 0x1p-100f ? largest / largest_e4m3 : 1.0f;
}

}  // namespace lorica::gpu
