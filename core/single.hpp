#pragma once

#include <cmath>
#include <limits>
#include <optional>

namespace lorica {

/// `x` in single precision, rounded to nearest, but never to a whole number that it is not: so `x` is above 0
/// or below 1, as ranges have it, where the result is. Nothing when it is beyond single precision.
inline std::optional<float> single(double x) noexcept {
  if (!(std::abs(x) <= static_cast<double>(std::numeric_limits<float>::max()))) return std::nullopt;
  auto out = static_cast<float>(x);
  auto back = static_cast<double>(out);
  if (back == x || std::trunc(out) != out) return out;
  auto towards = x > back ? std::numeric_limits<float>::max() : std::numeric_limits<float>::lowest();
  return std::nextafter(out, towards);
}

}  // namespace lorica
