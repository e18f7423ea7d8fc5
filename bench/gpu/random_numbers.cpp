#include "bench/gpu/random_numbers.hpp"

#include <cmath>

namespace lorica::bench {
namespace {

constexpr std::size_t places = std::size_t{1} << 16;  // more than the largest part needs
constexpr std::size_t aligned = 8;                    // numbers on 16 bytes

}  // namespace

std::uint64_t scattered(std::uint64_t x) noexcept {
  x += 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

random_numbers::random_numbers(std::size_t largest, float deviation, std::uint64_t seed)
    : largest_(largest), largest_number_(gpu::to_float(gpu::to_bfloat(2 * std::sqrt(3.0f) * deviation))) {
  numbers_.resize(largest + places);
  // The sum of four uniform numbers of 16 bits has a deviation of 65536 / sqrt(3).
  const float scale = deviation * std::sqrt(3.0f) / 65536.0f;
  for (std::size_t i = 0; i < numbers_.size(); ++i) {
    const auto x = scattered(seed + i);
    const auto sum = (x & 0xffff) + (x >> 16 & 0xffff) + (x >> 32 & 0xffff) + (x >> 48);
    numbers_[i] = gpu::to_bfloat(scale * (static_cast<float>(sum) - 131070.0f));
  }
}

std::span<const gpu::bfloat> random_numbers::part(std::uint64_t which, std::size_t count) const noexcept {
  const auto room = (numbers_.size() - count) / aligned + 1;
  return std::span(numbers_).subspan(scattered(~which) % room * aligned, count);
}

}  // namespace lorica::bench
