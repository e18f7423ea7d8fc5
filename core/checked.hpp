#pragma once

#include <concepts>
#include <cstdint>
#include <limits>
#include <optional>

namespace lorica {

/// a + b, or nothing on overflow. For numbers that came from a file or a socket.
template <std::integral T>
constexpr std::optional<T> checked_add(T a, T b) noexcept {
  T out{};
  if (__builtin_add_overflow(a, b, &out)) return std::nullopt;
  return out;
}

/// a * b, or nothing on overflow.
template <std::integral T>
constexpr std::optional<T> checked_mul(T a, T b) noexcept {
  T out{};
  if (__builtin_mul_overflow(a, b, &out)) return std::nullopt;
  return out;
}

/// Value in the range of `To`, or nothing.
template <std::integral To, std::integral From>
constexpr std::optional<To> checked_cast(From v) noexcept {
  To out{};
  if (__builtin_add_overflow(v, From{0}, &out)) return std::nullopt;
  return out;
}

/// Smallest multiple of `step` (a power of two) that is >= v, or nothing on overflow.
constexpr std::optional<std::uint64_t> checked_align(std::uint64_t v, std::uint64_t step) noexcept {
  auto sum = checked_add(v, step - 1);
  if (!sum) return std::nullopt;
  return *sum & ~(step - 1);
}

}  // namespace lorica
