#pragma once

#include <bit>
#include <cstdint>

/// A function for host and device alike.
#ifdef __CUDACC__
#define LORICA_BOTH __host__ __device__
#else
#define LORICA_BOTH
#endif

namespace lorica::gpu {

/// A bfloat16 as it lies in memory. Arithmetic is done in float32.
struct bfloat {
  std::uint16_t bits;
};

LORICA_BOTH inline float to_float(bfloat x) noexcept {
#ifdef __CUDA_ARCH__
  return __uint_as_float(std::uint32_t{x.bits} << 16);
#else
  return std::bit_cast<float>(std::uint32_t{x.bits} << 16);
#endif
}

LORICA_BOTH inline float to_float(float x) noexcept {
  return x;
}

/// To nearest, ties to even; what is no number stays none.
LORICA_BOTH inline bfloat to_bfloat(float x) noexcept {
#ifdef __CUDA_ARCH__
  const auto bits = __float_as_uint(x);
#else
  const auto bits = std::bit_cast<std::uint32_t>(x);
#endif
  if ((bits & 0x7fffffffu) > 0x7f800000u) return {0x7fff};
  return {static_cast<std::uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16)};
}

/// Two neighbours as one register of the tensor cores, the first in the low half.
LORICA_BOTH inline std::uint32_t to_pair(float first, float second) noexcept {
#if defined(__CUDA_ARCH__)
  std::uint32_t out;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(out) : "f"(second), "f"(first));
  return out;
#else
  return to_bfloat(first).bits | std::uint32_t{to_bfloat(second).bits} << 16;
#endif
}

LORICA_BOTH inline float first_of(std::uint32_t pair) noexcept {
  return to_float(bfloat{static_cast<std::uint16_t>(pair)});
}
LORICA_BOTH inline float second_of(std::uint32_t pair) noexcept {
  return to_float(bfloat{static_cast<std::uint16_t>(pair >> 16)});
}

/// A number as an element of type `T`.
template <class T>
LORICA_BOTH inline T stored(float x) noexcept;
template <>
LORICA_BOTH inline float stored<float>(float x) noexcept {
  return x;
}
template <>
LORICA_BOTH inline bfloat stored<bfloat>(float x) noexcept {
  return to_bfloat(x);
}

/// How numbers lie in a buffer whose type is chosen at run time.
enum class number_format : std::uint8_t { bfloat16, float32 };

constexpr std::uint32_t bytes_of(number_format f) noexcept {
  return f == number_format::bfloat16 ? 2 : 4;
}

}  // namespace lorica::gpu
