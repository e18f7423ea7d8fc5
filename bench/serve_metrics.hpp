#pragma once

#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "bench/serve_outcome.hpp"

namespace lorica::bench {

/// What many values look like. Zeros when there are none, as vLLM's tool tells it.
struct distribution {
  double mean = 0;
  double median = 0;
  double deviation = 0;                                     ///< of the whole population: divided by n
  std::vector<std::pair<double, double>> percentiles = {};  ///< percent, value
};

/// `numpy.percentile(sorted, percent)`: linear between the two nearest ranks. `sorted` ascends; 0 when empty.
double percentile(std::span<const double> sorted, double percent);

distribution describe(std::vector<double> values, std::span<const double> percents);

/// Bounds that a good request keeps, in seconds.
struct goodput_bounds {
  std::optional<double> ttft = {};
  std::optional<double> tpot = {};
  std::optional<double> e2el = {};

  bool any() const noexcept { return ttft || tpot || e2el; }
};

/// Figures of a run, by the definitions of vLLM's `calculate_metrics`: only requests that succeeded count;
/// TPOT is (latency - ttft) / (output - 1) of those with at least two tokens, and 0 for goodput otherwise.
/// Times are in seconds.
struct serve_metrics {
  std::size_t completed = 0;
  std::size_t failed = 0;
  std::uint64_t input_tokens = 0;
  std::uint64_t output_tokens = 0;
  double requests_per_second = 0;
  double good_per_second = 0;
  double output_per_second = 0;       ///< tokens
  double tokens_per_second = 0;       ///< input and output
  double most_output_per_second = 0;  ///< token events in the busiest second, counted from the first request
  std::uint32_t most_concurrent = 0;
  distribution ttft, tpot, itl, e2el, queue, e2el_with_queue;

  std::size_t outcomes() const noexcept { return completed + failed; }
};

serve_metrics measure(std::span<const request_outcome> outcomes, double duration,
                      const goodput_bounds& bounds, std::span<const double> percents);

}  // namespace lorica::bench
