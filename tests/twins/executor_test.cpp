// Whole models on both executors: the same tokens where the model is sure of them, and on the device the same
// bits however sequences are batched.
#include <algorithm>
#include <random>
#include <set>

#include "tests/catch.hpp"
#include "tests/cpu/golden_model.hpp"
#include "tests/emulated_device/runtime.hpp"
#include "tests/twins/whole_model.hpp"

using namespace lorica;
using namespace lorica::testing;

namespace {

constexpr std::uint32_t tiny_tokens = 320;

/// The first tokens of so many cases, as many different adapters among them as there can be.
std::vector<golden_case> some_of(std::vector<golden_case> cases, std::size_t count, std::size_t tokens) {
  std::shuffle(cases.begin(), cases.end(), std::mt19937(11));
  std::set<std::string> met;
  std::stable_partition(cases.begin(), cases.end(), [&](auto& c) { return met.insert(c.adapter).second; });
  cases.resize(std::min(cases.size(), count));
  for (auto& c : cases) {
    c.tokens.resize(std::min(c.tokens.size(), tokens));
    c.top_logprobs = 2;
  }
  return cases;
}

std::vector<golden_case> base_only(std::vector<golden_case> cases) {
  std::erase_if(cases, [](auto& c) { return !shares_of(c).empty(); });
  return cases;
}

drive few_at_once() {
  return {.mode = cpu_dtype::bfloat16, .chunk = 24, .max_sequences = 6, .token_ids = tiny_tokens};
}

void check_twins(const golden_folder& g, const std::vector<golden_case>& cases, double least_compared) {
  REQUIRE_FALSE(cases.empty());
  const auto how = few_at_once();
  const auto cpu = run_all(g.weights, g.adapters, cases, how).answers;
  const auto gpu = run_all(g.weights, g.adapters, cases, how, on_device()).answers;
  check_agreement(cpu, gpu, least_compared);
}

/// What every generation gives alone, without recorded steps.
std::vector<answer> alone(const golden_folder& g, const std::vector<golden_case>& cases) {
  std::vector<answer> out;
  for (auto& c : cases)
    out.push_back(run_all(g.weights, g.adapters, {c}, {.chunk = 64, .token_ids = tiny_tokens},
                          on_device({.graphs = false}))
                      .answers[0]);
  return out;
}

}  // namespace

TEST_CASE("every family gets the CPU's tokens on the device, with adapters of every kind") {
  auto name =
      GENERATE(as<std::string>{}, "llama-tied-gqa", "llama-gelu-yarn", "llama-head-dim-llama3-v4",
               "llama-linear-wide-vocabulary", "llama-untied-bias-f16", "llama-gguf-q4_1", "mistral-window",
               "mistral-gguf-q5_0", "qwen2-bf16", "qwen2-window-yarn", "qwen3", "qwen3-bias-layer-types",
               "phi3", "phi3-longrope", "gemma", "gemma2", "gemma2-gguf-f16", "gemma2-gelu-uncapped");
  INFO(name);
  auto g = open_golden(name);
  check_twins(g, some_of(g.cases, 14, 6), 0.6);
}

TEST_CASE("sums and merges of adapters get the CPU's tokens on the device") {
  auto name = GENERATE(as<std::string>{}, "llama-tied-gqa", "qwen2-bf16", "phi3");
  auto file = GENERATE(as<std::string>{}, "compositions.json", "merges.json");
  INFO(name << ' ' << file);
  auto g = open_golden(name, file);
  auto cases = some_of(g.cases, 6, 4);
  for (auto& c : some_of(open_golden(name).cases, 4, 4))
    cases.push_back(c);
  check_twins(g, cases, 0.6);
}

TEST_CASE("answers of the device are bit-equal in any mix, chunk, recorded or not, and after preemption") {
  auto name = GENERATE(as<std::string>{}, "llama-tied-gqa", "mistral-window", "gemma2");
  INFO(name);
  auto g = open_golden(name);
  const auto cases = some_of(g.cases, 14, 24);
  const auto expected = alone(g, cases);
  const auto run = [&](drive how, device_drive device = {}) {
    how.token_ids = tiny_tokens;
    return run_all(g.weights, g.adapters, cases, how, on_device(device));
  };
  CHECK(run({}).answers == expected);
  CHECK(run({.chunk = 7, .max_sequences = 5}).answers == expected);
  CHECK(run({.chunk = 3}, {.graphs = false}).answers == expected);
  CHECK(run({.logits_bytes = 4000}).answers == expected);
  CHECK(run({.block_tokens = 48}, {.same_products = true}).answers == expected);
  const auto tight = run({.chunk = 5, .blocks = 9});
  CHECK(tight.preemptions > 0);
  CHECK(tight.answers == expected);
}

TEST_CASE("however rows of adapters are shared out, answers of the device are bit-equal") {
  const auto g = open_golden("llama-tied-gqa");
  const auto cases = some_of(g.cases, 10, 12);
  const drive how{.chunk = 48, .token_ids = tiny_tokens};
  const auto expected = run_all(g.weights, g.adapters, cases, how, on_device()).answers;
  // Tiles of many are always faster: they take segments of eight rows and more.
  std::vector<float> times;
  for (int i = 0; i < 8; ++i)
    times.insert(times.end(), {2, 2, 2, 1, 1, 1});
  emulated_device::script_times(times);
  std::string said;
  const auto make = [&, measured = on_device({.measure = std::chrono::hours(1)})](
                        const auto& weights, const drive& d, std::uint32_t blocks) {
    auto out = measured(weights, d, blocks);
    said = out->description();
    return out;
  };
  CHECK(run_all(g.weights, g.adapters, cases, how, make).answers == expected);
  CHECK_THAT(said, Catch::Contains("adapters of up to 7 rows, or 7 at high ranks, in small tiles"));
  emulated_device::script_times({});
}

TEST_CASE("a computed beginning that others share gives the same answers on the device") {
  auto g = open_golden("llama-tied-gqa");
  auto cases = some_of(base_only(g.cases), 1, 4);
  auto& first = cases.front();
  first.prompt.resize(50, 17);
  for (token_id last : {30, 40, 50}) {
    auto other = first;
    other.prompt.back() = last;
    cases.push_back(other);
  }
  const auto expected = alone(g, cases);
  const auto shared = run_all(g.weights, g.adapters, cases,
                              {.chunk = 64, .max_sequences = 1, .token_ids = tiny_tokens}, on_device());
  CHECK(shared.prefix_hits >= 3 * 48);
  CHECK(shared.answers == expected);
}

TEST_CASE("a prompt's log-probabilities are told by the device, also beside an adapted head") {
  auto g = open_golden("llama-tied-gqa");
  auto cases = some_of(g.cases, 8, 2);
  for (auto& c : cases)
    c.prompt_logprobs = 2;
  const auto cpu = run_all(g.weights, g.adapters, cases, few_at_once()).answers;
  auto how = few_at_once();
  how.logits_bytes = 4000;  // three rows at once
  const auto gpu = run_all(g.weights, g.adapters, cases, how, on_device({.graphs = false})).answers;
  for (std::size_t i = 0; i < cases.size(); ++i) {
    INFO("case " << i << ", adapter '" << cases[i].adapter << "'");
    REQUIRE(gpu[i].prompt.size() == cpu[i].prompt.size());
    for (std::size_t t = 0; t < cpu[i].prompt.size(); ++t) {
      CHECK(gpu[i].prompt[t].token == cpu[i].prompt[t].token);
      CHECK(std::abs(gpu[i].prompt[t].logprob - cpu[i].prompt[t].logprob) < 0.3f);
    }
  }
}
