#include "adapters/finite_numbers.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>

#include "adapters/refusal.hpp"

namespace lorica {
namespace {

constexpr std::uint32_t exponent_bits = 0x7f800000;  // all set: infinity or NaN

}  // namespace

result<void> check_finite(std::string_view tensor, std::span<const float> numbers, std::size_t first) {
  // The common case first, in a loop without exits.
  std::uint32_t all = 0;
  for (float x : numbers)
    all |= static_cast<std::uint32_t>((std::bit_cast<std::uint32_t>(x) & exponent_bits) == exponent_bits);
  if (all == 0) return {};
  auto bad = std::find_if(numbers.begin(), numbers.end(), [](float x) { return !std::isfinite(x); });
  return refused(refusal::non_finite_weights,
                 "tensor " + shown(tensor) + " holds " + (std::isnan(*bad) ? "NaN" : "infinity") +
                     " at element " +
                     std::to_string(first + static_cast<std::size_t>(bad - numbers.begin())));
}

}  // namespace lorica
