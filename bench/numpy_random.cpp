#include "bench/numpy_random.hpp"

#include <bit>
#include <cmath>

namespace lorica::bench {

double numpy_random::uniform() {
  const auto high = static_cast<double>(words_() >> 5);
  const auto low = static_cast<double>(words_() >> 6);
  return (high * 67108864.0 + low) / 9007199254740992.0;
}

std::uint32_t numpy_random::whole(std::uint32_t low, std::uint32_t high) {
  const std::uint32_t span = high - low;
  if (span == 0) return low;
  const std::uint32_t mask = ~std::uint32_t{0} >> std::countl_zero(span);
  for (;;) {
    auto drawn = static_cast<std::uint32_t>(words_()) & mask;
    if (drawn <= span) return low + drawn;
  }
}

double numpy_random::exponential() {
  return -std::log(1.0 - uniform());
}

double numpy_random::power(double a) {
  return std::pow(1.0 - std::exp(-exponential()), 1.0 / a);
}

double numpy_random::normal() {
  if (has_normal_) {
    has_normal_ = false;
    return normal_;
  }
  double x = 0, y = 0, square = 0;
  do {
    x = 2.0 * uniform() - 1.0;
    y = 2.0 * uniform() - 1.0;
    square = x * x + y * y;
  } while (square >= 1.0 || square == 0.0);
  const double factor = std::sqrt(-2.0 * std::log(square) / square);
  normal_ = factor * x;
  has_normal_ = true;
  return factor * y;
}

double numpy_random::gamma(double shape, double scale) {
  if (shape == 1.0) return scale * exponential();
  return scale * (shape < 1.0 ? gamma_below_one(shape) : gamma_above_one(shape));
}

double numpy_random::gamma_below_one(double shape) {
  for (;;) {
    const double u = uniform();
    const double v = exponential();
    if (u <= 1.0 - shape) {
      const double x = std::pow(u, 1.0 / shape);
      if (x <= v) return x;
    } else {
      const double y = -std::log((1.0 - u) / shape);
      const double x = std::pow(1.0 - shape + shape * y, 1.0 / shape);
      if (x <= v + y) return x;
    }
  }
}

double numpy_random::gamma_above_one(double shape) {
  const double b = shape - 1.0 / 3.0;
  const double c = 1.0 / std::sqrt(9.0 * b);
  for (;;) {
    double x = 0, v = 0;
    do {
      x = normal();
      v = 1.0 + c * x;
    } while (v <= 0.0);
    v = v * v * v;
    const double u = uniform();
    if (u < 1.0 - 0.0331 * (x * x) * (x * x)) return b * v;
    if (std::log(u) < 0.5 * x * x + b * (1.0 - v + std::log(v))) return b * v;
  }
}

}  // namespace lorica::bench
