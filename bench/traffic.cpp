#include "bench/traffic.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "bench/numpy_random.hpp"

namespace lorica::bench {
namespace {

constexpr double most_requests = 10e6;

/// Numbers by their place: splitmix64 over a counter.
class counted_random {
 public:
  explicit counted_random(std::uint64_t seed) : seed_(seed) {}

  std::uint64_t bits() {
    auto x = seed_ + ++count_ * 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
  }

  /// In [0, 1).
  double uniform() { return static_cast<double>(bits() >> 11) * 0x1p-53; }

  /// By Box and Muller; the second of the pair is left.
  double normal() {
    auto radius = std::sqrt(-2 * std::log(1 - uniform()));
    return radius * std::cos(2 * std::numbers::pi * uniform());
  }

 private:
  std::uint64_t seed_;
  std::uint64_t count_ = 0;
};

error nonsense(const char* option, const char* wanted) {
  return fail(errc::invalid, std::string(option) + " must be " + wanted, {}, option);
}

/// How many requests each adapter has, the first one most.
std::vector<std::uint32_t> punica_counts(const punica_options& o) {
  if (o.pattern == punica_pattern::identical) return {o.requests};
  if (o.pattern == punica_pattern::distinct) return std::vector<std::uint32_t>(o.requests, 1);
  if (o.pattern == punica_pattern::uniform) {
    auto kinds = static_cast<std::uint32_t>(std::ceil(std::sqrt(o.requests)));
    std::vector<std::uint32_t> out(kinds, o.requests / kinds);
    for (std::uint32_t i = 0; i < o.requests % kinds; ++i)
      ++out[i];
    return out;
  }
  // Shares 1, 1/1.5, 1/1.5^2, ... of a third of all, until all are dealt.
  std::vector<std::uint32_t> out;
  auto left = o.requests;
  for (double share = o.requests / 3.0; left > 0; share /= 1.5) {
    auto count = std::min(left, std::max(1u, static_cast<std::uint32_t>(std::lround(share))));
    out.push_back(count);
    left -= count;
  }
  return out;
}

}  // namespace

result<std::vector<request_arrival>> slora_traffic(const slora_options& o) {
  auto above = [](double value) { return value > 0 && std::isfinite(value); };
  if (o.adapters == 0) return nonsense("adapters", "at least 1");
  if (!above(o.alpha)) return nonsense("alpha", "above 0");
  if (!above(o.rate)) return nonsense("rate", "above 0");
  if (!above(o.cv)) return nonsense("cv", "above 0");
  if (!above(o.seconds)) return nonsense("seconds", "above 0");
  if (o.input_low == 0 || o.input_low >= o.input_high)
    return nonsense("input_low", "above 0 and below input_high");
  if (o.output_low == 0 || o.output_low >= o.output_high)
    return nonsense("output_low", "above 0 and below output_high");
  if (o.rate * o.seconds > most_requests)
    return nonsense("rate", "such that there are at most ten million requests");
  numpy_random random(o.seed);
  std::vector<request_arrival> out(static_cast<std::size_t>(o.rate * o.seconds));
  for (auto& r : out)
    r.adapter = std::min(static_cast<std::uint32_t>(random.power(o.alpha) * o.adapters), o.adapters - 1) + 1;
  for (auto& r : out)
    r.prompt = static_cast<std::uint32_t>(random.integer(o.input_low, o.input_high));
  for (auto& r : out)
    r.output = static_cast<std::uint32_t>(random.integer(o.output_low, o.output_high));
  double at = 0;
  for (auto& r : out)
    r.at = at += random.gamma(1 / (o.cv * o.cv), o.cv * o.cv / o.rate);
  return out;
}

result<std::vector<request_arrival>> punica_traffic(const punica_options& o) {
  if (o.requests == 0 || o.requests > most_requests) return nonsense("requests", "from 1 to ten million");
  if (o.longest < 4) return nonsense("longest", "at least 4");
  counted_random random(o.seed);
  std::vector<request_arrival> out;
  out.reserve(o.requests);
  std::uint32_t adapter = 0;
  for (auto count : punica_counts(o)) {
    ++adapter;
    for (std::uint32_t i = 0; i < count; ++i) {
      // scipy's lognorm(s=0.8, loc=-1, scale=18)
      auto drawn = std::clamp(-1 + 18 * std::exp(0.8 * random.normal()), 1.0, o.longest - 2.0);
      auto prompt = static_cast<std::uint32_t>(drawn);
      auto total = static_cast<std::uint32_t>(random.uniform() * o.longest);
      out.push_back({0, adapter, prompt, std::max(total, prompt + 2) - prompt});
    }
  }
  for (auto i = out.size(); i > 1; --i)
    std::swap(out[i - 1], out[random.bits() % i]);
  return out;
}

}  // namespace lorica::bench
