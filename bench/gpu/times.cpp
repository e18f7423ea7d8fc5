#include "bench/gpu/times.hpp"

#include <algorithm>
#include <numeric>

namespace lorica::bench {

times summary_of(std::vector<double> seconds) {
  times out;
  if (seconds.empty()) return out;
  std::ranges::sort(seconds);
  const auto count = seconds.size();
  out.runs = static_cast<std::uint32_t>(count);
  out.mean = std::accumulate(seconds.begin(), seconds.end(), 0.0) / static_cast<double>(count);
  out.median = (seconds[(count - 1) / 2] + seconds[count / 2]) / 2;
  out.best = seconds.front();
  return out;
}

pair_of_times pairs_of(std::vector<double> base, std::vector<double> other) {
  std::vector<double> differences;
  for (std::size_t i = 0; i < std::min(base.size(), other.size()); ++i)
    differences.push_back(other[i] - base[i]);
  const double median = summary_of(std::move(differences)).median;
  return {summary_of(std::move(base)), summary_of(std::move(other)), median};
}

}  // namespace lorica::bench
