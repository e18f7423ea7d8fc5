#pragma once

#include <cstdint>
#include <random>

namespace lorica::bench {

/// The stream of random numbers of `numpy.random.seed(seed)`: what published load generators draw from, so
/// that their traces can be made again here. Each draw takes as many words of the generator as numpy's does.
class numpy_random {
 public:
  explicit numpy_random(std::uint32_t seed) : words_(seed) {}

  /// Uniform in [0, 1), 53 bits: `numpy.random.random_sample`.
  double uniform();

  /// Uniform in [low, high]: `numpy.random.randint(low, high + 1)`. `high` is not below `low`.
  std::uint32_t whole(std::uint32_t low, std::uint32_t high);

  /// Density a·x^(a−1) on [0, 1]: `numpy.random.power(a)`, a above 0.
  double power(double a);

  /// Mean 1: `numpy.random.standard_exponential`.
  double exponential();

  /// Mean 0, deviation 1, by the polar method: `numpy.random.standard_normal`.
  double normal();

  /// Mean shape·scale: `numpy.random.gamma(shape, scale)`, both above 0. Ahrens and Dieter's method below
  /// shape 1, Marsaglia and Tsang's above.
  double gamma(double shape, double scale);

 private:
  double gamma_below_one(double shape);
  double gamma_above_one(double shape);

  std::mt19937 words_;
  bool has_normal_ = false;
  double normal_ = 0;  // the second of a pair
};

}  // namespace lorica::bench
