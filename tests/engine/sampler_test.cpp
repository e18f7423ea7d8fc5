#include "engine/sampler.hpp"

#include <cmath>
#include <iostream>
#include <limits>
#include <random>

#include "engine/log_sum_exp.hpp"
#include "engine/philox.hpp"
#include "tests/catch.hpp"

using namespace lorica;

namespace {

constexpr auto infinity = std::numeric_limits<float>::infinity();

sampling_params greedy() {
  return {};
}

sampling_params sampled(std::uint64_t seed) {
  sampling_params p;
  p.sample = true;
  p.seed = seed;
  return p;
}

token_choice choose(const std::vector<float>& logits, const sampling_params& p,
                    const std::vector<token_id>& history = {}, std::uint32_t prompt_tokens = 0) {
  sampler s;
  return s.choose(logits, {history, prompt_tokens, p, 0});
}

/// How often each token is drawn over `draws` positions.
std::vector<double> frequencies(const std::vector<float>& logits, const sampling_params& p, int draws) {
  sampler s;
  std::vector<double> out(logits.size());
  std::vector<token_id> history;
  for (int i = 0; i < draws; ++i) {
    auto q = p;
    q.seed = p.seed + static_cast<std::uint64_t>(i);
    out[static_cast<std::size_t>(s.choose(logits, {history, 0, q, 0}).token)] += 1.0 / draws;
  }
  return out;
}

std::vector<float> random_logits(std::size_t n, std::uint64_t seed) {
  std::mt19937 random(static_cast<std::uint32_t>(seed));
  std::vector<float> out(n);
  for (auto& l : out)
    l = static_cast<float>(random() % 20000) / 1000.0f - 10.0f;
  return out;
}

}  // namespace

TEST_CASE("greedy takes the largest logit, the lowest id among equals") {
  CHECK(choose({1, 3, 2}, greedy()).token == 1);
  CHECK(choose({1, 3, 3, 3}, greedy()).token == 1);
  CHECK(choose({-infinity, -infinity, -5}, greedy()).token == 2);
  std::vector<float> wide(1003, 0.0f);
  wide[1002] = wide[517] = 4;
  CHECK(choose(wide, greedy()).token == 517);
}

TEST_CASE("the log-probability is that of the raw logits over the whole vocabulary") {
  // ln 1, ln 2, ln 5: probabilities 1/8, 2/8, 5/8.
  const std::vector<float> logits{0.0f, std::log(2.0f), std::log(5.0f)};
  CHECK(choose(logits, greedy()).logprob == Approx(std::log(5.0 / 8)).epsilon(1e-6));
  auto p = sampled(3);
  p.top_k = 1;
  p.temperature = 0.1f;
  CHECK(choose(logits, p).logprob == Approx(std::log(5.0 / 8)).epsilon(1e-6));
  p.frequency_penalty = 10;
  auto other = choose(logits, p, {2}, 0);
  CHECK(other.token == 1);
  CHECK(other.logprob == Approx(std::log(2.0 / 8)).epsilon(1e-6));
}

TEST_CASE("ids above the tokenizer's are never chosen, but count in log-probabilities") {
  const std::vector<float> logits{0.0f, 2.0f, 1.0f, 9.0f, 8.0f};
  sampler s;
  auto three = [&](const sampling_params& p) { return s.choose(logits, {{}, 0, p, 0, 3}); };
  CHECK(three(greedy()).token == 1);
  CHECK(three(greedy()).logprob == choose(logits, greedy()).logprob - 7.0f);
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    auto p = sampled(seed);
    p.temperature = 5;
    CHECK(three(p).token < 3);
    p.top_k = 4;
    CHECK(three(p).token < 3);
    p.top_k = 0;
    p.top_p = 0.9f;
    p.repetition_penalty = 1.5f;
    CHECK(three(p).token < 3);
  }
}

TEST_CASE("log_sum_exp agrees with long double sums to a millionth") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    auto logits = random_logits(49152 + seed, seed);
    logits[7] = -infinity;
    logits[9] = -3e38f;
    long double sum = 0;
    for (auto l : logits)
      sum += std::exp(static_cast<long double>(l));
    REQUIRE(log_sum_exp(logits) == Approx(static_cast<double>(std::log(sum))).margin(1e-6));
  }
  CHECK(log_sum_exp(std::vector<float>{1000, 1000}) == Approx(1000 + std::log(2.0)));
}

TEST_CASE("exponential weights are exact to two units in the last place") {
  std::vector<float> logits;
  for (int i = 0; i <= 85000; ++i)
    logits.push_back(-static_cast<float>(i) / 1000);
  auto weights = exp_weights(logits, 0, 1);
  for (std::size_t i = 0; i < logits.size(); ++i) {
    auto exact = std::exp(static_cast<double>(logits[i]));
    REQUIRE(std::abs(static_cast<double>(weights[i]) - exact) <= 2.4e-7 * exact);
  }
  CHECK(exp_weights(std::vector<float>{-infinity, -87, 0}, 0, 1) == std::vector<float>{0, 0, 1});
}

TEST_CASE("the repetition penalty counts prompt and generated tokens, each once") {
  auto p = greedy();
  p.repetition_penalty = 2;
  CHECK(choose({3, 2, 1}, p).token == 0);
  CHECK(choose({3, 2, 1}, p, {0}, 1).token == 1);           // 1.5, 2, 1
  CHECK(choose({3, 2, 1}, p, {0, 1}, 2).token == 0);        // 1.5, 1, 1
  CHECK(choose({3, 1.2f, 1}, p, {0, 0, 0}, 2).token == 0);  // 1.5: not divided again
  CHECK(choose({-1, -1.5f}, p, {0}, 1).token == 1);         // negative logits are multiplied: -2
}

TEST_CASE("a repetition penalty beyond all bounds leaves an order to draw from") {
  for (float penalty : {1e-45f, 1e-39f, 1e38f}) {
    for (auto [top_k, top_p] :
         {std::pair(0u, 1.0f), std::pair(0u, 0.5f), std::pair(2u, 1.0f), std::pair(2u, 0.5f)}) {
      INFO("penalty " << penalty << " top_k " << top_k << " top_p " << top_p);
      auto p = sampled(5);
      p.repetition_penalty = penalty;
      p.frequency_penalty = 2;
      p.top_k = top_k;
      p.top_p = top_p;
      auto expected = penalty < 1 ? 0 : 1;
      CHECK(choose({1e4f, 5, 1, -3, -infinity}, p, {0, 3, 4}).token == expected);
      CHECK(choose({-1e4f, 5, 1, -3, -infinity}, p, {0, 3, 4}).token == 1);
      auto all = choose({-1e4f, -1e4f, -infinity}, p, {0, 1, 2}).token;
      CHECK((all == 0 || all == 1));
    }
  }
}

TEST_CASE("the frequency penalty counts generated tokens, each time") {
  auto p = greedy();
  p.frequency_penalty = 0.6f;
  CHECK(choose({3, 2}, p, {0, 0, 0}, 3).token == 0);     // all prompt
  CHECK(choose({3, 2}, p, {0, 0, 0}, 2).token == 0);     // 2.4
  CHECK(choose({3, 2}, p, {0, 0, 0}, 1).token == 1);     // 1.8
  CHECK(choose({3, 1.7f}, p, {0, 0, 0}, 1).token == 0);  // 1.8: the count is taken off once
  p.frequency_penalty = -0.6f;
  CHECK(choose({3, 2}, p, {1, 1}, 0).token == 1);  // 3.2
}

TEST_CASE("the repetition penalty comes before the frequency penalty") {
  auto p = greedy();
  p.repetition_penalty = 2;
  p.frequency_penalty = 1;
  // 4 / 2 - 1 = 1 loses to 1.2; (4 - 1) / 2 = 1.5 would win.
  CHECK(choose({4, 1.2f}, p, {0}, 0).token == 1);
}

TEST_CASE("penalties leave nothing behind for the next row") {
  sampler s;
  auto p = greedy();
  p.frequency_penalty = 1;
  const std::vector<float> logits{3, 2.5f};
  const std::vector<token_id> history{0};
  CHECK(s.choose(logits, {history, 0, p, 0}).token == 1);
  CHECK(s.choose(logits, {{}, 0, p, 0}).token == 0);
  p.frequency_penalty = 0;
  p.repetition_penalty = 2;
  CHECK(s.choose(logits, {{}, 0, p, 0}).token == 0);
  CHECK(s.choose(logits, {history, 1, p, 0}).token == 1);
  CHECK(s.choose(logits, {history, 1, p, 0}).token == 1);
}

TEST_CASE("top_k keeps exactly k, the lower id among equals") {
  auto p = sampled(100);
  p.top_k = 2;
  auto f = frequencies({1, 1, 1, 0}, p, 4000);
  CHECK(f[0] == Approx(0.5).margin(0.04));
  CHECK(f[1] == Approx(0.5).margin(0.04));
  CHECK(f[2] == 0);
  p.top_k = 1;
  CHECK(frequencies({1, 2, 2}, p, 100)[1] == Approx(1));
}

TEST_CASE("top_p keeps the likeliest tokens until their probabilities reach p") {
  // Probabilities 0.5, 0.25, 0.125, 0.125.
  const std::vector<float> logits{std::log(1.0f), std::log(4.0f), std::log(2.0f), std::log(1.0f)};
  auto p = sampled(200);
  p.top_p = 0.4f;
  CHECK(frequencies(logits, p, 500)[1] == Approx(1));
  p.top_p = 0.7f;
  auto f = frequencies(logits, p, 8000);
  CHECK(f[1] == Approx(2.0 / 3).margin(0.022));
  CHECK(f[2] == Approx(1.0 / 3).margin(0.022));
  p.top_p = 0.8f;
  f = frequencies(logits, p, 8000);
  CHECK(f[0] == Approx(1.0 / 7).margin(0.016));  // id 0 before id 3
  CHECK(f[3] == 0);
}

TEST_CASE("top_p always keeps the likeliest token, however small it is") {
  constexpr auto least = std::numeric_limits<float>::denorm_min();
  std::vector<float> wide(3000, 1.0f);
  wide[1999] = wide[2500] = 1.5f;
  for (auto p_of_all : {0.0f, least, 1e-30f, 1e-9f})
    for (auto top_k : {0u, 2u, 5000u})
      for (auto typical_p : {1.0f, 0.5f}) {
        INFO("top_p " << p_of_all << " top_k " << top_k << " typical_p " << typical_p);
        auto p = sampled(7);
        p.top_p = p_of_all;
        p.top_k = top_k;
        p.typical_p = typical_p;
        CHECK(choose({1, 2, 3, 3, -infinity}, p).token == 2);
        CHECK(choose(wide, p).token == 1999);
        p.temperature = least;
        CHECK(choose({1, 2, 3, 3, -infinity}, p).token == 2);
        p.temperature = std::numeric_limits<float>::max();
        p.min_p = 1;
        CHECK(choose({1, 2, 3, 3, -infinity}, p).token >= 0);
      }
}

TEST_CASE("temperature comes before top_p, and top_p sees what top_k left") {
  const std::vector<float> logits{std::log(4.0f), std::log(2.0f), std::log(1.0f), std::log(1.0f)};
  auto p = sampled(300);
  p.top_p = 0.7f;
  p.temperature = 0.5f;  // 16, 4, 1, 1 of 22: the first alone is 0.727
  CHECK(frequencies(logits, p, 500)[0] == Approx(1));
  p.temperature = 1;
  p.top_k = 2;
  p.top_p = 0.6f;  // of the two kept the first is 0.667
  CHECK(frequencies(logits, p, 500)[0] == Approx(1));
}

TEST_CASE("a wide nucleus is found in a large vocabulary") {
  // 1000 equal tokens and many that do not matter: half of the mass is the first 500 ids.
  std::vector<float> logits(20'000, -40.0f);
  std::fill(logits.begin() + 100, logits.begin() + 1100, 5.0f);
  auto p = sampled(400);
  p.top_p = 0.5f;
  auto f = frequencies(logits, p, 600);
  double first = 0;
  for (std::size_t i = 100; i <= 600; ++i)
    first += f[i];
  CHECK(first == Approx(1));
  p.top_p = 0.9999999f;
  CHECK(choose(std::vector<float>(300, 1.0f), p).token >= 0);
}

TEST_CASE("draws follow the probabilities") {
  auto logits = random_logits(64, 5);
  for (auto& l : logits)
    l *= 0.2f;
  auto p = sampled(1000);
  p.temperature = 1.3f;
  constexpr int draws = 200'000;
  auto f = frequencies(logits, p, draws);
  double total = 0;
  for (auto l : logits)
    total += std::exp(static_cast<double>(l) / 1.3);
  double chi2 = 0;
  for (std::size_t i = 0; i < f.size(); ++i) {
    auto expected = std::exp(static_cast<double>(logits[i]) / 1.3) / total;
    chi2 += draws * (f[i] - expected) * (f[i] - expected) / expected;
  }
  std::cout << "sampler: seed 1000, chi-square " << chi2 << " with 63 degrees of freedom\n";
  CHECK(chi2 < 103.4);  // the 99.9 % quantile
  CHECK(chi2 > 33.0);   // and not too good to be true
}

TEST_CASE("masked tokens are not drawn and draws are by position") {
  auto p = sampled(0);
  auto f = frequencies({-infinity, 0, -infinity, 0}, p, 2000);
  CHECK(f[0] + f[2] == 0);
  CHECK(f[1] == Approx(0.5).margin(0.05));
  const std::vector<float> flat(1000, 0.0f);
  std::vector<token_id> history;
  for (token_id i = 0; i < 50; ++i) {
    auto token = choose(flat, p, history, 0).token;
    REQUIRE(token == static_cast<token_id>(uniform_draw(0, 0, static_cast<std::uint32_t>(i)) * 1000));
    history.push_back(i);
  }
}

TEST_CASE("broken logits are told, never sorted") {
  auto p = sampled(1);
  p.top_p = 0.5f;
  auto nan = std::numeric_limits<float>::quiet_NaN();
  CHECK(std::isnan(choose({1, nan, 3}, p).logprob));
  CHECK(std::isnan(choose({1, infinity, 3}, greedy()).logprob));
  CHECK(std::isnan(choose({nan, nan}, p).logprob));
  std::vector<float> wide(100, 1.0f);
  wide[50] = nan;
  CHECK(std::isnan(choose(wide, greedy()).logprob));
  CHECK(choose({1, nan, 3}, greedy()).token == 2);
}
