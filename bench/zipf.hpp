#pragma once

#include <cstdint>
#include <vector>

namespace lorica::bench {

/// Zipf's law over `count` things: the k-th (from 1) is drawn in proportion to k^-exponent.
class zipf {
 public:
  /// `count` is at least 1, `exponent` at least 0 (0: all alike).
  zipf(std::uint32_t count, double exponent);

  /// The index, from 0, at which the cumulated shares pass `uniform`, which lies in [0, 1).
  std::uint32_t at(double uniform) const;

 private:
  std::vector<double> cumulated_;  // the last is 1
};

}  // namespace lorica::bench
