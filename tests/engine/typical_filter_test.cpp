#include "engine/typical_filter.hpp"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <iterator>
#include <limits>
#include <string>

#include "core/json.hpp"
#include "engine/log_sum_exp.hpp"
#include "engine/sampler.hpp"
#include "tests/catch.hpp"

using namespace lorica;

namespace {

constexpr auto infinity = std::numeric_limits<float>::infinity();

/// What transformers' warpers leave of a distribution; written by tools/make_sampling_goldens.py.
struct golden_case {
  sampling_params params;
  std::vector<float> logits;
  std::vector<std::uint32_t> kept;
  std::vector<double> probabilities;
};

std::vector<golden_case> golden_cases() {
  std::ifstream file(LORICA_TEST_DATA "/golden/sampling/typical.json");
  std::string text{std::istreambuf_iterator<char>(file), {}};
  auto root = parse_json(text, {.max_bytes = 1 << 20, .max_depth = 8, .max_values = 100'000});
  REQUIRE(root);
  std::vector<golden_case> out;
  for (auto& entry : *root->as_array()) {
    auto& c = out.emplace_back();
    auto number = [&](const char* name) { return static_cast<float>(entry.find(name)->number()); };
    c.params.sample = true;
    c.params.temperature = number("temperature");
    c.params.top_k = static_cast<std::uint32_t>(*entry.find("top_k")->as_int());
    c.params.top_p = number("top_p");
    c.params.typical_p = number("typical_p");
    for (auto& v : *entry.find("logits")->as_array())
      c.logits.push_back(static_cast<float>(v.number()));
    for (auto& v : *entry.find("kept")->as_array())
      c.kept.push_back(static_cast<std::uint32_t>(*v.as_int()));
    for (auto& v : *entry.find("probabilities")->as_array())
      c.probabilities.push_back(v.number());
  }
  return out;
}

/// Kept ids, sorted.
std::vector<std::uint32_t> keep(typical_filter& filter, const std::vector<float>& logits, float temperature,
                                float mass) {
  auto peak = peak_of(logits);
  auto kept = filter.keep(logits, exp_weights(logits, peak, temperature), peak, temperature, mass);
  std::vector<std::uint32_t> out(kept.begin(), kept.end());
  std::sort(out.begin(), out.end());
  return out;
}

std::vector<float> logs_of(const std::vector<double>& probabilities) {
  std::vector<float> out;
  for (auto p : probabilities)
    out.push_back(static_cast<float>(std::log(p)));
  return out;
}

}  // namespace

TEST_CASE("the tokens kept by typical_p alone are those of transformers") {
  typical_filter filter;
  int compared = 0;
  for (auto& c : golden_cases()) {
    if (c.params.top_k != 0 || c.params.top_p < 1) continue;
    CHECK(keep(filter, c.logits, c.params.temperature, c.params.typical_p) == c.kept);
    ++compared;
  }
  CHECK(compared >= 100);
}

TEST_CASE(
    "tokens are drawn from what transformers' temperature, top_k, top_p and typical_p leave, as often") {
  sampler s;
  constexpr int draws = 4000;
  int compared = 0;
  for (auto& c : golden_cases()) {
    INFO("case " << compared);
    std::vector<double> often(c.logits.size());
    for (int i = 0; i < draws; ++i) {
      auto p = c.params;
      p.seed = static_cast<std::uint64_t>(i);
      often[static_cast<std::size_t>(s.choose(c.logits, {{}, 0, p, 0}).token)] += 1.0 / draws;
    }
    for (std::size_t i = 0; i < often.size(); ++i) {
      auto at = std::find(c.kept.begin(), c.kept.end(), i);
      auto expected = at == c.kept.end() ? 0 : c.probabilities[static_cast<std::size_t>(at - c.kept.begin())];
      auto deviation = std::sqrt(expected * (1 - expected) / draws);
      INFO("token " << i << " drawn " << often[i] << " expected " << expected);
      REQUIRE(std::abs(often[i] - expected) <= 5 * deviation + 1e-9);
    }
    ++compared;
  }
  CHECK(compared >= 150);
}

TEST_CASE("the likeliest token goes first when it is less typical than others") {
  // One token of 0.4 and six of 0.1: entropy 1.75; surprises 0.92 and 2.30.
  auto logits = logs_of({0.4, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1});
  typical_filter filter;
  CHECK(keep(filter, logits, 1, 0.3f) == std::vector<std::uint32_t>{1, 2, 3, 4, 5, 6});
  CHECK(keep(filter, logits, 1, 0.7f).size() == 7);
}

TEST_CASE("tokens as typical as the last one stay together, and one is always left") {
  typical_filter filter;
  CHECK(keep(filter, std::vector<float>(50, 1.5f), 1, 0.1f).size() == 50);
  CHECK(keep(filter, {3.0f}, 1, 0.5f) == std::vector<std::uint32_t>{0});
  CHECK(keep(filter, {0, 80}, 1, 1e-30f) == std::vector<std::uint32_t>{1});
  CHECK(keep(filter, {-infinity, 2, -infinity, 2}, 1, 0.01f) == std::vector<std::uint32_t>{1, 3});
}

TEST_CASE("leaving out what is far before sorting changes nothing") {
  // Against the definition, written down without shortcuts, on rows with and without a long tail.
  typical_filter filter;
  for (std::uint32_t seed = 1; seed <= 6; ++seed) {
    std::vector<float> logits(5000);
    auto state = seed;
    for (auto& l : logits) {
      state = state * 1664525u + 1013904223u;
      l = static_cast<float>(state >> 8) / 16777216.0f * (seed % 2 ? 30.0f : 3.0f);
    }
    auto peak = peak_of(logits);
    auto weights = exp_weights(logits, peak, 0.9f);
    double total = 0, entropy = 0;
    for (auto w : weights)
      total += static_cast<double>(w);
    std::vector<std::pair<double, std::uint32_t>> order;
    auto surprise = [&](std::size_t i) {
      return std::log(total) + (static_cast<double>(peak) - static_cast<double>(logits[i])) / double{0.9f};
    };
    for (std::size_t i = 0; i < logits.size(); ++i)
      entropy += static_cast<double>(weights[i]) / total * surprise(i);
    for (std::size_t i = 0; i < logits.size(); ++i)
      if (weights[i] > 0) order.emplace_back(std::abs(surprise(i) - entropy), static_cast<std::uint32_t>(i));
    std::sort(order.begin(), order.end());
    for (float mass : {0.001f, 0.3f, 0.9f, 0.999f}) {
      std::vector<std::uint32_t> expected;
      double sum = 0;
      for (auto& [distance, i] : order) {
        if (sum >= static_cast<double>(mass) * total) break;
        sum += static_cast<double>(weights[i]);
        expected.push_back(i);
      }
      std::sort(expected.begin(), expected.end());
      INFO("seed " << seed << " mass " << mass);
      CHECK(keep(filter, logits, 0.9f, mass) == expected);
    }
  }
}

TEST_CASE("a draw with typical_p depends on seed and position alone, not on the rows before it") {
  auto cases = golden_cases();
  std::vector<token_id> history{0, 1, 2};
  auto token = [&](sampler& s, const golden_case& c) {
    auto p = c.params;
    p.seed = 77;
    return s.choose(c.logits, {history, 1, p, 0});
  };
  sampler used;
  std::vector<token_choice> first;
  for (auto& c : cases)
    first.push_back(token(used, c));
  for (std::size_t i = cases.size(); i-- > 0;) {
    sampler fresh;
    CHECK(token(fresh, cases[i]).token == first[i].token);
    CHECK(token(used, cases[i]).token == first[i].token);
    CHECK(token(used, cases[i]).logprob == first[i].logprob);
  }
}

TEST_CASE("typical_p does not touch greedy rows and tells broken logits") {
  sampler s;
  sampling_params p;
  p.typical_p = 0.2f;
  CHECK(s.choose(logs_of({0.4, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1}), {{}, 0, p, 0}).token == 0);
  p.sample = true;
  CHECK(std::isnan(s.choose(std::vector<float>{1, std::nanf(""), 2}, {{}, 0, p, 0}).logprob));
}

TEST_CASE("typical_p survives a repetition penalty beyond all bounds") {
  sampler s;
  std::vector<token_id> history{0, 3};
  for (float penalty : {1e-45f, 1e-39f, 1e38f}) {
    sampling_params p;
    p.sample = true;
    p.repetition_penalty = penalty;
    p.typical_p = 0.5f;
    CHECK(s.choose(std::vector<float>{10, 5, 1, -3}, {history, 0, p, 0}).token == (penalty < 1 ? 0 : 1));
  }
}
