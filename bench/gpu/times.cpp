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

}  // namespace lorica::bench
