#include "adapters/finite_numbers.hpp"

#include <algorithm>
#include <cmath>

#include "adapters/refusal.hpp"

namespace lorica {

result<void> check_finite(std::string_view tensor, std::span<const float> numbers, std::size_t first) {
  auto bad = std::find_if(numbers.begin(), numbers.end(), [](float x) { return !std::isfinite(x); });
  if (bad == numbers.end()) return {};
  return refused(refusal::non_finite_weights,
                 "tensor " + shown(tensor) + " holds " + (std::isnan(*bad) ? "NaN" : "infinity") +
                     " at element " +
                     std::to_string(first + static_cast<std::size_t>(bad - numbers.begin())));
}

}  // namespace lorica
