#pragma once

#include <cstdint>
#include <random>

namespace lorica::bench {

/// The draws of numpy's legacy generator (`numpy.random.RandomState(seed)`, MT19937) that traces of others
/// were made with, bit for bit where libm's functions are. Not for anything secret.
class numpy_random {
 public:
  explicit numpy_random(std::uint32_t seed) : bits_(seed) {}

  /// `random_sample()`: 53 bits, in [0, 1).
  double uniform();
  /// `power(a)`: density a x^(a-1) on [0, 1]; a > 0.
  double power(double a);
  /// `randint(low, high)`: in [low, high), by masks and rejection; low < high.
  std::int64_t integer(std::int64_t low, std::int64_t high);
  /// `gamma(shape, scale)`; shape > 0.
  double gamma(double shape, double scale);

 private:
  double exponential();
  double normal();
  double standard_gamma(double shape);

  std::mt19937 bits_;
  double spare_ = 0;  // normals come in pairs
  bool has_spare_ = false;
};

}  // namespace lorica::bench
