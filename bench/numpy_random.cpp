#include "bench/numpy_random.hpp"

#include <cmath>

namespace lorica::bench {

double numpy_random::uniform() {
  auto high = static_cast<double>(bits_() >> 5);
  auto low = static_cast<double>(bits_() >> 6);
  return (high * 67108864.0 + low) / 9007199254740992.0;
}

double numpy_random::exponential() {
  return -std::log(1.0 - uniform());
}

double numpy_random::power(double a) {
  return std::pow(1 - std::exp(-exponential()), 1.0 / a);
}

std::int64_t numpy_random::integer(std::int64_t low, std::int64_t high) {
  auto range = static_cast<std::uint64_t>(high - low - 1);
  if (range == 0) return low;
  auto mask = range;
  for (auto shift : {1, 2, 4, 8, 16, 32})
    mask |= mask >> shift;
  for (;;) {
    std::uint64_t drawn = bits_();
    if (range > 0xffffffffu) drawn = drawn << 32 | bits_();
    drawn &= mask;
    if (drawn <= range) return low + static_cast<std::int64_t>(drawn);
  }
}

/// The polar method; of each pair the second is kept for the next call.
double numpy_random::normal() {
  if (has_spare_) {
    has_spare_ = false;
    return spare_;
  }
  double x, y, r;
  do {
    x = 2.0 * uniform() - 1.0;
    y = 2.0 * uniform() - 1.0;
    r = x * x + y * y;
  } while (r >= 1.0 || r == 0.0);
  auto f = std::sqrt(-2.0 * std::log(r) / r);
  spare_ = f * x;
  has_spare_ = true;
  return f * y;
}

/// Above 1 by Marsaglia and Tsang (2000), below by Ahrens and Dieter (1974), in the order of numpy's draws.
double numpy_random::standard_gamma(double shape) {
  if (shape == 1.0) return exponential();
  if (shape < 1.0) {
    for (;;) {
      auto u = uniform();
      auto v = exponential();
      if (u <= 1.0 - shape) {
        auto x = std::pow(u, 1. / shape);
        if (x <= v) return x;
      } else {
        auto y = -std::log((1 - u) / shape);
        auto x = std::pow(1.0 - shape + shape * y, 1. / shape);
        if (x <= v + y) return x;
      }
    }
  }
  auto b = shape - 1. / 3.;
  auto c = 1. / std::sqrt(9 * b);
  for (;;) {
    double x, v;
    do {
      x = normal();
      v = 1.0 + c * x;
    } while (v <= 0.0);
    v = v * v * v;
    auto u = uniform();
    if (u < 1.0 - 0.0331 * (x * x) * (x * x)) return b * v;
    if (std::log(u) < 0.5 * x * x + b * (1. - v + std::log(v))) return b * v;
  }
}

double numpy_random::gamma(double shape, double scale) {
  return scale * standard_gamma(shape);
}

}  // namespace lorica::bench
