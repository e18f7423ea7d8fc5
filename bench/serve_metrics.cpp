#include "bench/serve_metrics.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace lorica::bench {
namespace {

double tpot_of(const request_outcome& o) {
  return o.output > 1 ? (o.latency - o.ttft) / (o.output - 1) : 0;
}

bool good(const request_outcome& o, const goodput_bounds& b) {
  auto within = [](const std::optional<double>& bound, double seconds) {
    return !bound || seconds <= *bound;
  };
  return within(b.ttft, o.ttft) && within(b.tpot, tpot_of(o)) && within(b.e2el, o.latency);
}

/// The most that overlap of the half-open spans [start, start + latency).
std::uint32_t most_at_once(std::span<const request_outcome> outcomes) {
  std::vector<std::pair<double, int>> changes;  // an end sorts before a start of the same time
  for (auto& o : outcomes) {
    if (!o.success) continue;
    changes.emplace_back(o.start, 1);
    changes.emplace_back(o.start + o.latency, -1);
  }
  std::ranges::sort(changes);
  int now = 0, most = 0;
  for (auto& change : changes)
    most = std::max(most, now += change.second);
  return static_cast<std::uint32_t>(most);
}

double busiest_second(std::span<const request_outcome> outcomes) {
  double first = std::numeric_limits<double>::infinity(), last = 0;
  for (auto& o : outcomes) {
    if (!o.success) continue;
    first = std::min(first, o.start);
    last = std::max(last, o.start + o.latency);
  }
  if (last < first) return 0;
  std::vector<double> seconds(static_cast<std::size_t>(std::ceil(last - first)) + 1);
  for (auto& o : outcomes) {
    if (!o.success) continue;
    double at = o.start + o.ttft - first;
    auto count = [&] {
      auto second = static_cast<std::size_t>(at);
      if (second < seconds.size()) ++seconds[second];
    };
    count();
    for (auto gap : o.itl) {
      at += gap;
      count();
    }
  }
  return std::ranges::max(seconds);
}

}  // namespace

double percentile(std::span<const double> sorted, double percent) {
  if (sorted.empty()) return 0;
  const double rank = std::clamp(percent, 0.0, 100.0) / 100 * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(rank);
  const auto above = std::min(below + 1, sorted.size() - 1);
  return std::lerp(sorted[below], sorted[above], rank - static_cast<double>(below));
}

distribution describe(std::vector<double> values, std::span<const double> percents) {
  std::ranges::sort(values);
  distribution out;
  if (!values.empty()) {
    const auto n = static_cast<double>(values.size());
    out.mean = std::accumulate(values.begin(), values.end(), 0.0) / n;
    double squares = 0;
    for (auto v : values)
      squares += (v - out.mean) * (v - out.mean);
    out.deviation = std::sqrt(squares / n);
    out.median = percentile(values, 50);
  }
  for (auto p : percents)
    out.percentiles.emplace_back(p, percentile(values, p));
  return out;
}

serve_metrics measure(std::span<const request_outcome> outcomes, double duration,
                      const goodput_bounds& bounds, std::span<const double> percents) {
  serve_metrics out;
  std::vector<double> ttft, tpot, itl, e2el, queue, whole;
  std::size_t good_ones = 0;
  for (auto& o : outcomes) {
    if (!o.success) {
      ++out.failed;
      continue;
    }
    ++out.completed;
    out.input_tokens += o.prompt;
    out.output_tokens += o.output;
    good_ones += good(o, bounds);
    ttft.push_back(o.ttft);
    if (o.output > 1) tpot.push_back(tpot_of(o));
    itl.insert(itl.end(), o.itl.begin(), o.itl.end());
    e2el.push_back(o.latency);
    queue.push_back(o.queue);
    whole.push_back(o.latency + o.queue);
  }
  auto rate = [&](auto count) { return duration > 0 ? static_cast<double>(count) / duration : 0.0; };
  out.requests_per_second = rate(out.completed);
  out.good_per_second = rate(good_ones);
  out.output_per_second = rate(out.output_tokens);
  out.tokens_per_second = rate(out.input_tokens + out.output_tokens);
  out.most_output_per_second = busiest_second(outcomes);
  out.most_concurrent = most_at_once(outcomes);
  out.ttft = describe(std::move(ttft), percents);
  out.tpot = describe(std::move(tpot), percents);
  out.itl = describe(std::move(itl), percents);
  out.e2el = describe(std::move(e2el), percents);
  out.queue = describe(std::move(queue), percents);
  out.e2el_with_queue = describe(std::move(whole), percents);
  return out;
}

}  // namespace lorica::bench
