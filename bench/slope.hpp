#pragma once

#include <optional>
#include <utility>
#include <vector>

namespace lorica::bench {

/// The slope of the line through points (x, y) with the least sum of squares; nothing for less than two
/// different x.
std::optional<double> slope_of(const std::vector<std::pair<double, double>>& points);

}  // namespace lorica::bench
