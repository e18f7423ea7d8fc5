// Log-probabilities of prompts and alternatives against transformers and peft, and the rule that they, and
// the rules of a request, do not depend on how it was batched.
#include <algorithm>
#include <cmath>
#include <random>

#include "tests/catch.hpp"
#include "tests/cpu/golden_model.hpp"

using namespace lorica;
using namespace lorica::testing;

namespace {

const std::string golden = LORICA_TEST_DATA "/golden";
constexpr std::uint32_t tiny_tokens = 320;
constexpr double tolerance = 1e-3;

std::shared_ptr<const model_weights> open(const std::string& name) {
  auto weights = open_model(golden + "/models/" + name);
  if (!weights) FAIL(weights.error().text);
  return *weights;
}

std::vector<golden_case> cases_of(const std::string& name) {
  return read_golden(golden + "/models/" + name + "/logprobs.json");
}

/// Alternatives agree in order but for those that are nearly as likely as each other.
void check(const std::vector<token_choice>& got, const std::vector<told_token>& want) {
  REQUIRE(got.size() == want.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    INFO("token " << i);
    REQUIRE(std::abs(static_cast<double>(got[i].logprob) - want[i].logprob) < tolerance);
    REQUIRE(got[i].rank >= want[i].first_rank);
    REQUIRE(got[i].rank <= want[i].last_rank);
    auto& top = want[i].top;
    REQUIRE(got[i].top.size() == top.size());
    for (std::size_t k = 0; k < top.size(); ++k) {
      REQUIRE(std::abs(static_cast<double>(got[i].top[k].logprob) - top[k].second) < tolerance);
      auto close = [&](std::size_t other) {
        return other >= top.size() || std::abs(top[other].second - top[k].second) < tolerance;
      };
      // The sixth best is not in the file: the last one may be nearly as likely.
      auto clear = k + 1 < top.size() && !close(k + 1) && (k == 0 || !close(k - 1));
      if (clear) REQUIRE(got[i].top[k].token == top[k].first);
    }
  }
}

std::vector<answer> alone(const std::shared_ptr<const model_weights>& weights, const std::string& adapters,
                          const std::vector<golden_case>& cases, const drive& how) {
  std::vector<answer> out;
  for (auto& c : cases)
    out.push_back(run_all(weights, adapters, {c}, how).answers[0]);
  return out;
}

/// Rules for one request: some tokens may not come, some only, some late, some more often.
token_rules some_rules(std::mt19937& random, const golden_case& c) {
  auto id = [&] { return static_cast<token_id>(3 + random() % 300); };
  token_rules rules;
  if (random() % 2) {
    rules.allowed.emplace();
    for (token_id t = 0; t < 320; ++t)
      if (random() % 3 != 0) rules.allowed->push_back(t);
  }
  // What greedy would say next, and continuations of what it said.
  rules.bad_words = {{c.tokens.front()}, {id()}};
  for (std::size_t i = 1; i < c.tokens.size(); i += 3)
    rules.bad_words.push_back({c.tokens[i - 1], c.tokens[i]});
  for (token_id t = 10; t < 320; t += 31)
    rules.biases.push_back({t, static_cast<float>(random() % 8) - 2});
  rules.late = {1, 2, id()};
  std::ranges::sort(rules.late);
  rules.stops = {id()};
  return rules;
}

/// A mix of requests with none, some and all of the fields.
void ask_for_more(std::vector<golden_case>& cases) {
  std::mt19937 random(12);
  for (std::size_t i = 0; i < cases.size(); ++i) {
    auto& c = cases[i];
    auto& p = c.sampling;
    p.seed = i;
    if (i % 5 == 1 || i % 5 == 4) c.prompt_logprobs = static_cast<std::uint32_t>(i % 4);
    if (i % 5 == 2 || i % 5 == 4) {
      c.top_logprobs = 4;
      p.sample = true;
      p.min_p = 0.02f;
      p.top_p = i % 2 ? 1.0f : 0.95f;
    }
    if (i % 5 < 3) continue;
    p.presence_penalty = 0.4f;
    p.min_tokens = 6;
    p.rules = shared_rules(some_rules(random, c));
  }
}

void check_rules(const answer& got, const golden_case& c) {
  if (!c.sampling.rules) return;
  auto& rules = *c.sampling.rules;
  for (std::size_t i = 0; i < got.tokens.size(); ++i) {
    auto token = got.tokens[i];
    if (rules.allowed) CHECK(std::ranges::binary_search(*rules.allowed, token));
    if (i < c.sampling.min_tokens) CHECK_FALSE(std::ranges::binary_search(rules.late, token));
    for (auto& word : rules.bad_words) {
      if (word.back() != token) continue;
      CHECK((word.size() == 2 && (i == 0 || got.tokens[i - 1] != word[0])));
    }
    if (i + 1 < got.tokens.size()) CHECK_FALSE(std::ranges::binary_search(rules.stops, token));
  }
}

}  // namespace

TEST_CASE("prompts and alternatives are as likely as the reference says, alone and mixed") {
  auto name = GENERATE(as<std::string>{}, "llama-tied-gqa", "llama-linear-wide-vocabulary", "mistral-window",
                       "qwen3", "phi3", "gemma2");
  INFO(name);
  auto weights = open(name);
  auto cases = cases_of(name);
  REQUIRE(cases.size() >= 12);
  for (auto& c : cases) {
    REQUIRE(c.prompt_told.size() + 1 == c.prompt.size());
    c.top_logprobs = 5;
    c.prompt_logprobs = 5;
  }
  std::shuffle(cases.begin(), cases.end(), std::mt19937(2));
  auto adapters = golden + "/adapters/" + name;
  for (auto& answers : {run_all(weights, adapters, cases, {.token_ids = tiny_tokens}).answers,
                        alone(weights, adapters, cases, {.chunk = 9, .token_ids = tiny_tokens})})
    for (std::size_t i = 0; i < cases.size(); ++i) {
      INFO("case " << i << ", adapter '" << cases[i].adapter << "'");
      CHECK(answers[i].tokens == cases[i].tokens);
      check(answers[i].prompt, cases[i].prompt_told);
      check(answers[i].told, cases[i].answer_told);
    }
}

TEST_CASE("rules and log-probabilities are bit-equal in any mix, chunk, thread count and after preemption") {
  auto name = GENERATE(as<std::string>{}, "llama-tied-gqa", "phi3", "gemma2");
  auto dtype = GENERATE(cpu_dtype::float32, cpu_dtype::bfloat16);
  INFO(name << ", dtype " << static_cast<int>(dtype));
  auto weights = open(name);
  auto cases = cases_of(name);
  std::shuffle(cases.begin(), cases.end(), std::mt19937(3));
  cases.resize(std::min<std::size_t>(cases.size(), 16));
  auto plain = cases;
  ask_for_more(cases);
  auto adapters = golden + "/adapters/" + name;
  const drive base{.mode = dtype, .token_ids = tiny_tokens};
  auto expected = alone(weights, adapters, cases, base);
  auto with = [&](auto change) {
    auto how = base;
    change(how);
    return run_all(weights, adapters, cases, how);
  };
  std::size_t prompts = 0;
  for (std::size_t i = 0; i < cases.size(); ++i) {
    check_rules(expected[i], cases[i]);
    CHECK(expected[i].prompt.size() == (cases[i].prompt_logprobs ? cases[i].prompt.size() - 1 : 0));
    prompts += expected[i].prompt.size();
  }
  CHECK(prompts > 50);
  CHECK(with([](drive&) {}).answers == expected);
  CHECK(with([](drive& d) { d.threads = 2; }).answers == expected);
  CHECK(with([](drive& d) { d.threads = 3, d.chunk = 7; }).answers == expected);
  CHECK(with([](drive& d) { d.chunk = 1; }).answers == expected);
  CHECK(with([](drive& d) { d.chunk = 3, d.max_sequences = 5; }).answers == expected);
  // Three rows of logits at once.
  CHECK(with([](drive& d) { d.threads = 2, d.logits_bytes = 4000; }).answers == expected);
  // In order of arrival all kinds of them are preempted.
  auto tight = with([](drive& d) {
    d.threads = 2, d.chunk = 5, d.blocks = 9;
    d.policy = schedule_policy::fcfs;
  });
  CHECK(with([](drive& d) { d.threads = 2, d.chunk = 5, d.blocks = 9; }).answers == expected);
  auto recomputed = [&](auto asks) {
    return std::ranges::count_if(tight.preempted, [&](std::size_t i) { return asks(cases[i]); });
  };
  CHECK(recomputed([](const golden_case& c) { return c.sampling.rules.operator bool(); }) > 0);
  CHECK(recomputed([](const golden_case& c) { return c.prompt_logprobs.has_value(); }) > 0);
  CHECK(tight.answers == expected);
  // Who asks for nothing has what it has alone, beside all of these.
  auto undisturbed = alone(weights, adapters, plain, base);
  for (std::size_t i = 0; i < cases.size(); i += 5)
    CHECK(expected[i] == undisturbed[i]);
}
