// The steps between logits and a token against transformers' processors and warpers, and what rules promise.
#include <algorithm>
#include <cmath>
#include <fstream>
#include <iterator>
#include <limits>
#include <random>
#include <string>

#include "core/json.hpp"
#include "engine/log_sum_exp.hpp"
#include "engine/sampler.hpp"
#include "tests/catch.hpp"

using namespace lorica;

namespace {

constexpr auto infinity = std::numeric_limits<float>::infinity();

/// What transformers leaves of a distribution; written by tools/make_step_goldens.py.
struct golden_case {
  sampling_params params;
  std::vector<float> logits;
  std::vector<token_id> history;
  std::uint32_t prompt_tokens = 0;
  token_id greedy = 0;
  std::vector<token_id> kept;
  std::vector<double> probabilities;
  std::vector<std::pair<token_id, double>> top;
};

template <class Number>
std::vector<Number> numbers(const value* list) {
  std::vector<Number> out;
  for (auto& v : *list->as_array())
    out.push_back(static_cast<Number>(v.number()));
  return out;
}

golden_case read_case(const value& entry) {
  golden_case c;
  auto number = [&](const char* name, double otherwise) {
    auto found = entry.find(name);
    return static_cast<float>(found ? found->number() : otherwise);
  };
  c.params.temperature = number("temperature", 1);
  c.params.top_k = static_cast<std::uint32_t>(number("top_k", 0));
  c.params.top_p = number("top_p", 1);
  c.params.min_p = number("min_p", 0);
  c.params.repetition_penalty = number("repetition", 1);
  c.params.frequency_penalty = number("frequency", 0);
  c.params.presence_penalty = number("presence", 0);
  c.params.min_tokens = static_cast<std::uint32_t>(number("min_tokens", 0));
  token_rules rules;
  if (auto found = entry.find("allowed")) rules.allowed = numbers<token_id>(found);
  if (auto found = entry.find("late")) rules.late = numbers<token_id>(found);
  if (auto found = entry.find("bad_words"))
    for (auto& word : *found->as_array())
      rules.bad_words.push_back(numbers<token_id>(&word));
  if (auto found = entry.find("biases"))
    for (auto& bias : *found->as_array())
      rules.biases.push_back({static_cast<token_id>(*bias.as_array()->at(0).as_int()),
                              static_cast<float>(bias.as_array()->at(1).number())});
  if (rules != token_rules{}) c.params.rules = shared_rules(rules);
  c.logits = numbers<float>(entry.find("logits"));
  c.history = numbers<token_id>(entry.find("prompt"));
  c.prompt_tokens = static_cast<std::uint32_t>(c.history.size());
  auto generated = numbers<token_id>(entry.find("generated"));
  c.history.insert(c.history.end(), generated.begin(), generated.end());
  c.greedy = static_cast<token_id>(*entry.find("greedy")->as_int());
  c.kept = numbers<token_id>(entry.find("kept"));
  c.probabilities = numbers<double>(entry.find("probabilities"));
  for (auto& t : *entry.find("top")->as_array())
    c.top.emplace_back(static_cast<token_id>(*t.as_array()->at(0).as_int()), t.as_array()->at(1).number());
  return c;
}

std::vector<golden_case> golden_cases() {
  std::ifstream file(LORICA_TEST_DATA "/golden/sampling/steps.json");
  std::string text{std::istreambuf_iterator<char>(file), {}};
  auto root = parse_json(text, {.max_bytes = 1 << 20, .max_depth = 8, .max_values = 200'000});
  REQUIRE(root);
  std::vector<golden_case> out;
  for (auto& entry : *root->as_array())
    out.push_back(read_case(entry));
  return out;
}

sampling_params with(token_rules rules) {
  sampling_params p;
  p.rules = shared_rules(std::move(rules));
  return p;
}

token_choice choose(const std::vector<float>& logits, const sampling_params& p,
                    const std::vector<token_id>& history = {}, std::uint32_t prompt_tokens = 0,
                    std::uint32_t token_ids = 0) {
  sampler s;
  return s.choose(logits, {history, prompt_tokens, p, 0, token_ids});
}

/// Every token that some of so many draws gives.
std::vector<token_id> drawn(const std::vector<float>& logits, sampling_params p, int draws,
                            const std::vector<token_id>& history = {}) {
  p.sample = true;
  std::vector<token_id> out;
  for (int i = 0; i < draws; ++i) {
    p.seed = static_cast<std::uint64_t>(i);
    out.push_back(choose(logits, p, history).token);
  }
  std::ranges::sort(out);
  auto rest = std::ranges::unique(out);
  out.erase(rest.begin(), rest.end());
  return out;
}

}  // namespace

TEST_CASE("greedy takes what transformers' processors leave as the largest") {
  int changed = 0;
  for (auto& c : golden_cases()) {
    INFO("case of " << c.logits.size() << " logits, greedy " << c.greedy);
    CHECK(choose(c.logits, c.params, c.history, c.prompt_tokens).token == c.greedy);
    changed += c.greedy != choose(c.logits, {}).token ? 1 : 0;
  }
  CHECK(changed > 100);
}

TEST_CASE("tokens are drawn from what all steps of transformers leave, as often") {
  sampler s;
  constexpr int draws = 4000;
  int number = 0;
  for (auto& c : golden_cases()) {
    INFO("case " << number++);
    std::vector<double> often(c.logits.size());
    auto p = c.params;
    p.sample = true;
    for (int i = 0; i < draws; ++i) {
      p.seed = static_cast<std::uint64_t>(i);
      often[static_cast<std::size_t>(s.choose(c.logits, {c.history, c.prompt_tokens, p, 0}).token)] +=
          1.0 / draws;
    }
    for (std::size_t i = 0; i < often.size(); ++i) {
      auto at = std::ranges::find(c.kept, static_cast<token_id>(i));
      auto expected = at == c.kept.end() ? 0 : c.probabilities[static_cast<std::size_t>(at - c.kept.begin())];
      auto deviation = std::sqrt(std::max(0.0, expected * (1 - expected)) / draws);
      INFO("token " << i << " drawn " << often[i] << " expected " << expected);
      // Two draws more: a rare token is no bell curve.
      REQUIRE(std::abs(often[i] - expected) <= 5 * deviation + 2.0 / draws);
      if (at == c.kept.end()) REQUIRE(often[i] == 0);
    }
  }
  CHECK(number >= 200);
}

TEST_CASE("alternatives are log_softmax of the raw logits, whatever the steps do") {
  sampler s;
  for (auto& c : golden_cases()) {
    auto got = s.choose(c.logits, {c.history, c.prompt_tokens, c.params, 0, 0, 20});
    REQUIRE(got.top.size() == c.top.size());
    for (std::size_t i = 0; i < c.top.size(); ++i) {
      CHECK(got.top[i].token == c.top[i].first);
      CHECK(static_cast<double>(got.top[i].logprob) == Approx(c.top[i].second).margin(2e-6));
      if (got.top[i].token != got.token) continue;
      CHECK(got.rank == i + 1);
      CHECK(got.top[i].logprob == got.logprob);
    }
    CHECK(s.choose(c.logits, {c.history, c.prompt_tokens, c.params, 0}).token == got.token);
  }
}

TEST_CASE("alternatives are likeliest first, equal ones by id, exactly as many as asked for") {
  const std::vector<float> logits{1, 3, 3, 2, 3, -infinity};
  auto tokens = [&](std::uint32_t count, std::uint32_t token_ids = 0) {
    std::vector<token_id> out;
    for (auto& t : score(logits, 3, count, token_ids).top)
      out.push_back(t.token);
    return out;
  };
  CHECK(tokens(0).empty());
  CHECK(tokens(2) == std::vector<token_id>{1, 2});
  CHECK(tokens(3) == std::vector<token_id>{1, 2, 4});
  CHECK(tokens(20) == std::vector<token_id>{1, 2, 4, 3, 0});
  CHECK(tokens(20, 4) == std::vector<token_id>{1, 2, 3, 0});
  CHECK(score(logits, 3, 0, 0).rank == 4);
  CHECK(score(logits, 3, 0, 4).rank == 3);
  CHECK(score(logits, 2, 0, 0).rank == 2);
  CHECK(score(logits, 1, 0, 0).rank == 1);
  CHECK(score(logits, 5, 0, 3).rank == 6);
  CHECK(std::isnan(score(std::vector<float>{1, std::nanf("")}, 0, 3, 0).logprob));
}

TEST_CASE("alternatives and ranks agree with sorting a whole vocabulary") {
  std::mt19937 random(9);
  for (int round = 0; round < 20; ++round) {
    std::vector<float> logits(3000);
    for (auto& l : logits)
      l = static_cast<float>(random() % 400) / 10;
    std::vector<token_id> order(logits.size());
    for (std::size_t i = 0; i < order.size(); ++i)
      order[i] = static_cast<token_id>(i);
    std::ranges::stable_sort(order, std::greater<>(),
                             [&](token_id t) { return logits[static_cast<std::size_t>(t)]; });
    auto top = score(logits, 0, 20, 0).top;
    REQUIRE(top.size() == 20);
    for (std::size_t i = 0; i < top.size(); ++i)
      REQUIRE(top[i].token == order[i]);
    for (std::size_t i = 0; i < order.size(); i += 97)
      REQUIRE(score(logits, order[i], 0, 0).rank == i + 1);
  }
}

TEST_CASE("masked tokens are never chosen, whatever else is asked for") {
  std::mt19937 random(4);
  auto roll = [&](std::uint32_t sides) { return static_cast<std::uint32_t>(random() % sides); };
  for (int round = 0; round < 3000; ++round) {
    std::vector<float> logits(40);
    for (auto& l : logits)
      l = static_cast<float>(roll(2000)) / 100 - 10;
    std::vector<token_id> history;
    for (auto left = 1 + roll(8); left > 0; --left)
      history.push_back(static_cast<token_id>(roll(40)));
    token_rules rules;
    if (roll(2)) {
      rules.allowed.emplace();
      for (token_id t = 0; t < 40; ++t)
        if (t == 7 || roll(3) == 0) rules.allowed->push_back(t);
    }
    rules.bad_words = {{static_cast<token_id>(8 + roll(32))},
                       {history.back(), static_cast<token_id>(8 + roll(32))}};
    rules.late = {static_cast<token_id>(8 + roll(3)), static_cast<token_id>(12 + roll(28))};
    for (token_id t = 0; t < 40; t += 5)
      rules.biases.push_back({t, static_cast<float>(roll(200)) - 100});
    sampling_params p;
    p.sample = roll(3) != 0;
    p.seed = random();
    p.temperature = roll(2) ? 1.0f : 8.0f;
    p.min_p = roll(2) ? 0.0f : 0.2f;
    p.top_k = roll(2) ? 0 : 5;
    p.top_p = roll(2) ? 1.0f : 0.9f;
    p.typical_p = roll(4) ? 1.0f : 0.9f;
    p.presence_penalty = roll(2) ? 0.0f : -2.0f;
    p.repetition_penalty = roll(2) ? 1.0f : 0.5f;
    p.min_tokens = static_cast<std::uint32_t>(history.size()) + roll(2);
    p.rules = shared_rules(rules);
    INFO("round " << round);
    auto token = choose(logits, p, history).token;
    REQUIRE(token >= 0);
    if (rules.allowed) REQUIRE(std::ranges::binary_search(*rules.allowed, token));
    REQUIRE(token != rules.bad_words[0][0]);
    REQUIRE(token != rules.bad_words[1][1]);
    if (history.size() < p.min_tokens) REQUIRE(std::ranges::find(rules.late, token) == rules.late.end());
  }
}

TEST_CASE("rules that leave nothing are told, with no token") {
  token_rules rules;
  rules.allowed = {1};
  rules.late = {1};
  auto p = with(rules);
  p.min_tokens = 2;
  for (bool sample : {false, true}) {
    p.sample = sample;
    auto got = choose({1, 2, 3}, p, {0, 0}, 1);
    CHECK(got.token == no_token);
    CHECK(std::isnan(got.logprob));
    CHECK(choose({1, 2, 3}, p, {0, 0, 0}, 1).token == 1);
  }
  token_rules outside;
  outside.allowed = {4};
  CHECK(choose({1, 2, 3, 4, 5}, with(outside), {}, 0, 4).token == no_token);
  CHECK(choose({1, 2, 3, 4, 5}, with(outside), {}, 0, 5).token == 4);
}

TEST_CASE("ids outside the logits are passed over") {
  constexpr auto far = std::numeric_limits<token_id>::max();
  token_rules rules;
  rules.allowed = {-5, -1, 0, 2, 3, far};
  rules.bad_words = {{}, {3}, {-1}, {far}, {far, 2}};
  rules.late = {-7, 4, far};
  rules.biases = {{-1, 50}, {0, 1}, {3, 50}, {far, 50}};
  auto p = with(rules);
  p.min_tokens = 1;
  CHECK(choose({1, 9, 1.5f}, p).token == 0);
  CHECK(choose({1, 9, 2.5f}, p).token == 2);
}

TEST_CASE("min_tokens counts generated tokens, not the prompt") {
  token_rules rules;
  rules.late = {2};
  auto p = with(rules);
  p.min_tokens = 2;
  CHECK(choose({1, 2, 3}, p, {0, 0, 0, 0}, 4).token == 1);
  CHECK(choose({1, 2, 3}, p, {0, 0, 0, 0, 0}, 4).token == 1);
  CHECK(choose({1, 2, 3}, p, {0, 0, 0, 0, 0, 0}, 4).token == 2);
}

TEST_CASE("a bad word is masked behind its own beginning only, and one that reaches into the prompt is not") {
  token_rules rules;
  rules.bad_words = {{5, 6, 2}};
  auto p = with(rules);
  const std::vector<float> logits{0, 1, 2, 0, 0, 0, 0};
  CHECK(choose(logits, p, {0, 5, 6}, 1).token == 1);
  CHECK(choose(logits, p, {0, 5, 6}, 2).token == 2);
  CHECK(choose(logits, p, {0, 6, 5}, 1).token == 2);
  CHECK(choose(logits, p, {0, 5, 6, 0}, 1).token == 2);
  CHECK(choose(logits, p, {0, 5, 5, 6}, 1).token == 1);
}

TEST_CASE("min_p keeps what reaches its part of the largest probability, after the temperature") {
  const std::vector<float> logits{std::log(8.0f), std::log(4.0f), std::log(2.0f), std::log(1.0f)};
  sampling_params p;
  p.min_p = 0.2f;
  CHECK(drawn(logits, p, 300) == std::vector<token_id>{0, 1, 2});
  p.temperature = 0.5f;  // 64, 16, 4, 1
  CHECK(drawn(logits, p, 300) == std::vector<token_id>{0, 1});
  p.temperature = 1;
  p.min_p = 1;
  CHECK(drawn({1, 3, 3, 2}, p, 100) == std::vector<token_id>{1, 2});
  // What min_p leaves is what top_p divides: 8 and 4 of 12, not of 15.
  p.min_p = 0.4f;
  p.top_p = 0.6f;
  CHECK(drawn(logits, p, 200) == std::vector<token_id>{0});
  p.top_p = 0.7f;
  CHECK(drawn(logits, p, 200) == std::vector<token_id>{0, 1});
  p.top_k = 1;
  CHECK(drawn(logits, p, 50) == std::vector<token_id>{0});
}

TEST_CASE("the presence penalty is taken off once, among generated tokens") {
  sampling_params p;
  p.presence_penalty = 0.6f;
  CHECK(choose({3, 2}, p, {0, 0, 0}, 3).token == 0);     // all prompt
  CHECK(choose({3, 2}, p, {0, 0, 0}, 0).token == 0);     // 2.4, once
  CHECK(choose({2.5f, 2}, p, {0, 0, 0}, 2).token == 1);  // 1.9
  p.frequency_penalty = 0.5f;
  CHECK(choose({3, 1.8f}, p, {0, 0}, 0).token == 1);  // 3 - 1 - 0.6
  CHECK(choose({3, 1.3f}, p, {0, 0}, 0).token == 0);
  p = {};
  p.presence_penalty = -1.5f;
  CHECK(choose({3, 2}, p, {1}, 0).token == 1);
}

TEST_CASE("rules leave nothing behind for the next row, and equal rules are equal parameters") {
  token_rules rules;
  rules.bad_words = {{1}};
  auto p = with(rules);
  sampler s;
  const std::vector<float> logits{1, 2, 0};
  CHECK(s.choose(logits, {{}, 0, p, 0}).token == 0);
  CHECK(s.choose(logits, {{}, 0, {}, 0}).token == 1);
  CHECK(p == with(rules));
  rules.bad_words = {{2}};
  CHECK(p != with(rules));
  CHECK(p != sampling_params{});
}
