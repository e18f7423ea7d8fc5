#include "bench/gpu/time_plan.hpp"

#include <algorithm>

namespace lorica::bench {
namespace {

constexpr double share_of_arrivals = 0.7;

}  // namespace

double share_of_time(double left, double weight, double weights) noexcept {
  return weights > 0 ? std::max(0.0, left) * weight / weights : 0;
}

double arrival_seconds(double left, double runs, double wanted) noexcept {
  return std::min(wanted, share_of_arrivals * std::max(0.0, left) / std::max(1.0, runs));
}

}  // namespace lorica::bench
