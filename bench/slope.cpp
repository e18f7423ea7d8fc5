#include "bench/slope.hpp"

namespace lorica::bench {

std::optional<double> slope_of(const std::vector<std::pair<double, double>>& points) {
  double x_sum = 0, y_sum = 0;
  for (auto [x, y] : points) {
    x_sum += x;
    y_sum += y;
  }
  const auto count = static_cast<double>(points.size());
  double square = 0, product = 0;
  for (auto [x, y] : points) {
    square += (x - x_sum / count) * (x - x_sum / count);
    product += (x - x_sum / count) * (y - y_sum / count);
  }
  if (!(square > 0)) return std::nullopt;
  return product / square;
}

}  // namespace lorica::bench
