#include "bench/zipf.hpp"

#include <algorithm>
#include <cmath>

namespace lorica::bench {

zipf::zipf(std::uint32_t count, double exponent) : cumulated_(count) {
  double sum = 0;
  for (std::uint32_t i = 0; i < count; ++i)
    cumulated_[i] = sum += std::pow(i + 1.0, -exponent);
  for (auto& c : cumulated_)
    c /= sum;
}

std::uint32_t zipf::at(double uniform) const {
  const auto found = std::ranges::upper_bound(cumulated_, uniform) - cumulated_.begin();
  return static_cast<std::uint32_t>(
      std::min<std::size_t>(static_cast<std::size_t>(found), cumulated_.size() - 1));
}

}  // namespace lorica::bench
