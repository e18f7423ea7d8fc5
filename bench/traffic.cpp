#include "bench/traffic.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>

#include "bench/numpy_random.hpp"
#include "bench/zipf.hpp"

namespace lorica::bench {
namespace {

using requests = std::vector<planned_request>;

error refuse(std::string text) {
  return fail(errc::bad_config, std::move(text));
}

/// As short as reads back equal; whole numbers in digits.
std::string shown(double number) {
  char digits[32];
  const bool whole = number == std::floor(number) && std::abs(number) < 1e15;
  if (whole) return std::to_string(static_cast<std::int64_t>(number));
  return {digits, std::to_chars(digits, digits + sizeof digits, number).ptr};
}

std::optional<error> check_count(std::string_view name, double value, double most) {
  if (value >= 1 && value <= most) return std::nullopt;
  return refuse(std::string(name) + " is " + shown(value) + "; it is 1 to " + shown(most));
}

/// Cumulative gaps of mean 1/rate, scaled so that the last request arrives at count/rate, which makes
/// runs of different seeds equally long (as vLLM's tool does).
void set_arrivals(requests& all, const random_traffic& t, numpy_random& random) {
  if (std::isinf(t.rate)) return;
  double now = 0;
  for (auto& r : all) {
    now += std::isinf(t.burstiness) ? 1 / t.rate : random.gamma(t.burstiness, 1 / (t.rate * t.burstiness));
    r.arrival = now;
  }
  const double factor = static_cast<double>(all.size()) / t.rate / now;
  for (auto& r : all)
    r.arrival *= factor;
}

/// From a generator of their own: lengths and adapters do not depend on each other.
void set_adapters(requests& all, const random_traffic& t) {
  std::seed_seq own{t.seed, 1u};
  std::mt19937_64 random(own);
  const zipf law(t.adapters, t.exponent);
  std::uniform_int_distribution<std::uint32_t> any(0, t.adapters - 1);
  std::uniform_real_distribution<double> share(0, 1);
  for (std::uint32_t i = 0; i < all.size(); ++i)
    all[i].adapter = t.order == adapter_order::round_robin ? i % t.adapters
                     : t.order == adapter_order::random    ? any(random)
                                                           : law.at(share(random));
}

std::uint32_t drawn_length(std::uint32_t middle, double ratio, std::mt19937_64& random) {
  const auto low = std::max(1.0, std::floor(middle * (1 - ratio)));
  const auto high = std::ceil(middle * (1 + ratio));
  return std::uniform_int_distribution<std::uint32_t>(static_cast<std::uint32_t>(low),
                                                      static_cast<std::uint32_t>(high))(random);
}

/// Sizes of the groups of requests that share an adapter.
std::vector<std::uint32_t> groups(punica_pattern pattern, std::uint32_t n) {
  if (pattern == punica_pattern::identical) return {n};
  if (pattern == punica_pattern::distinct) return std::vector<std::uint32_t>(n, 1);
  if (pattern == punica_pattern::uniform) {
    const auto count = static_cast<std::uint32_t>(std::ceil(std::sqrt(static_cast<double>(n))));
    std::vector<std::uint32_t> out(count, n / count);
    for (std::uint32_t i = 0; i < n % count; ++i)
      ++out[i];
    return out;
  }
  std::vector<std::uint32_t> out;
  std::uint64_t sum = 0;
  for (double size = 1; sum < n; size *= 1.5) {
    out.push_back(
        static_cast<std::uint32_t>(std::min<double>(std::floor(size), static_cast<double>(n - sum))));
    sum += out.back();
  }
  std::ranges::sort(out, std::greater{});
  return out;
}

}  // namespace

std::uint32_t adapters_of(punica_pattern pattern, std::uint32_t count) {
  return static_cast<std::uint32_t>(groups(pattern, count).size());
}

result<requests> plan(const random_traffic& t) {
  if (auto bad = check_count("--num-prompts", t.requests, most_requests)) return *bad;
  if (auto bad = check_count("--random-input-len", t.input, most_tokens)) return *bad;
  if (auto bad = check_count("--random-output-len", t.output, most_tokens)) return *bad;
  if (!(t.rate > 0)) return refuse("--request-rate is " + shown(t.rate) + "; it is above 0, or inf");
  if (!(t.burstiness > 0)) return refuse("--burstiness is " + shown(t.burstiness) + "; it is above 0");
  if (!(t.range_ratio >= 0 && t.range_ratio < 1))
    return refuse("--random-range-ratio is " + shown(t.range_ratio) + "; it is at least 0 and below 1");
  if (t.prefix > most_tokens)
    return refuse("--random-prefix-len is " + shown(t.prefix) + "; it is at most " + shown(most_tokens));
  if (!(t.exponent >= 0 && t.exponent <= 100))
    return refuse("--lora-zipf-exponent is " + shown(t.exponent) + "; it is 0 to 100");
  requests out(t.requests);
  std::mt19937_64 random(t.seed);
  for (std::uint32_t i = 0; i < t.requests; ++i) {
    auto& r = out[i];
    r.shared = t.prefix;
    r.prompt = t.prefix + drawn_length(t.input, t.range_ratio, random);
    r.output = drawn_length(t.output, t.range_ratio, random);
  }
  if (t.adapters != 0) set_adapters(out, t);
  numpy_random gaps(t.seed);
  set_arrivals(out, t, gaps);
  return out;
}

result<requests> plan(const s_lora_traffic& t) {
  auto bad_range = [](auto range) {
    return range.first < 1 || range.second <= range.first || range.second > most_tokens;
  };
  if (t.adapters == 0) return refuse("--lora-modules is missing; s-lora draws from at least one adapter");
  if (!(t.alpha > 0 && t.alpha <= 1'000))
    return refuse("--s-lora-alpha is " + shown(t.alpha) + "; it is above 0 and at most 1000");
  if (!(t.cv > 0 && t.cv <= 1'000))
    return refuse("--s-lora-cv is " + shown(t.cv) + "; it is above 0 and at most 1000");
  if (!(t.rate > 0 && std::isfinite(t.rate)))
    return refuse("--request-rate is " + shown(t.rate) + "; s-lora wants requests per second, as 2");
  const double count = std::floor(t.rate * t.duration);
  if (!(count >= 1 && count <= most_requests))
    return refuse("--request-rate times --s-lora-duration is " + shown(t.rate * t.duration) +
                  "; it is 1 to " + shown(most_requests) + " requests");
  if (bad_range(t.input) || bad_range(t.output))
    return refuse("--s-lora-input-range and --s-lora-output-range are LOW HIGH with 1 <= LOW < HIGH <= " +
                  shown(most_tokens));
  requests out(static_cast<std::size_t>(count));
  numpy_random random(t.seed);
  for (auto& r : out)
    r.adapter = std::min(static_cast<std::uint32_t>(random.power(t.alpha) * t.adapters), t.adapters - 1);
  for (auto& r : out)
    r.prompt = random.whole(t.input.first, t.input.second - 1);
  for (auto& r : out)
    r.output = random.whole(t.output.first, t.output.second - 1);
  const double shape = 1 / (t.cv * t.cv);
  double now = 0;
  for (auto& r : out)
    r.arrival = now += random.gamma(shape, t.cv * t.cv / t.rate);
  return out;
}

result<requests> plan(const punica_traffic& t) {
  if (auto bad = check_count("--num-prompts", t.requests, most_requests)) return *bad;
  if (t.most < 3 || t.most > most_tokens)
    return refuse("--punica-max-len is " + shown(t.most) + "; it is 3 to " + shown(most_tokens));
  const auto sizes = groups(t.pattern, t.requests);
  if (t.adapters != 0 && t.adapters < sizes.size())
    return refuse("--lora-modules has " + shown(t.adapters) + " adapters; this pattern over " +
                  shown(t.requests) + " requests needs " + shown(static_cast<double>(sizes.size())));
  requests out;
  out.reserve(t.requests);
  for (std::uint32_t a = 0; a < sizes.size(); ++a)
    for (std::uint32_t i = 0; i < sizes[a]; ++i)
      out.push_back({.adapter = t.adapters == 0 ? planned_request::none : a});
  std::mt19937_64 random(t.seed);
  std::ranges::shuffle(out, random);
  std::lognormal_distribution<double> length(0, 0.8);
  for (auto& r : out) {
    r.prompt = static_cast<std::uint32_t>(std::clamp(18 * length(random) - 1, 1.0, t.most - 2.0));
    const auto whole = std::uniform_int_distribution<std::uint32_t>(0, t.most - 1)(random);
    r.output = std::max(whole, r.prompt + 2) - r.prompt;
  }
  return out;
}

}  // namespace lorica::bench
