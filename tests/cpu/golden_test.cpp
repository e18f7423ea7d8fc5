// Whole models against transformers and peft, and the rule that an answer never depends on how it was
// batched.
#include <algorithm>
#include <filesystem>
#include <random>
#include <set>

#include "tests/catch.hpp"
#include "tests/cpu/golden_model.hpp"

using namespace lorica;
using namespace lorica::testing;
namespace fs = std::filesystem;

namespace {

const std::string golden = LORICA_TEST_DATA "/golden";

/// Ids of the tiny models' tokenizer; one of them has more rows.
constexpr std::uint32_t tiny_tokens = 320;

/// Adapters with other tensors than A and B of the layers.
bool more_than_pairs(const std::string& adapter) {
  return std::ranges::any_of(std::vector<std::string>{"bias", "dora", "embedding", "head"},
                             [&](auto& word) { return adapter.find(word) != std::string::npos; });
}

std::vector<std::string> model_names() {
  std::vector<std::string> out;
  for (auto& entry : fs::directory_iterator(golden + "/models"))
    out.push_back(entry.path().filename().string());
  std::sort(out.begin(), out.end());
  return out;
}

std::shared_ptr<const model_weights> open(const std::string& path) {
  auto file = path + "/model.gguf";
  auto weights = open_model(fs::exists(file) ? file : path);
  INFO(path);
  if (!weights) FAIL(weights.error().text);
  return *weights;
}

void check(const std::vector<golden_case>& cases, const std::vector<answer>& answers) {
  REQUIRE(answers.size() == cases.size());
  for (std::size_t i = 0; i < cases.size(); ++i) {
    INFO("case " << i << ", adapter '" << cases[i].adapter << "', prompt of " << cases[i].prompt.size());
    CHECK(answers[i].tokens == cases[i].tokens);
    double worst = 0;
    for (std::size_t t = 0; t < std::min(answers[i].logprobs.size(), cases[i].logprobs.size()); ++t)
      worst = std::max(worst, std::abs(static_cast<double>(answers[i].logprobs[t]) - cases[i].logprobs[t]));
    CHECK(worst < 1e-3);
  }
}

std::vector<answer> alone(const std::shared_ptr<const model_weights>& weights, const std::string& adapters,
                          const std::vector<golden_case>& cases, const drive& how) {
  std::vector<answer> out;
  for (auto& c : cases)
    out.push_back(run_all(weights, adapters, {c}, how).answers[0]);
  return out;
}

}  // namespace

TEST_CASE("the exact mode gives the reference's tokens and log-probabilities, alone and mixed") {
  auto name = GENERATE(from_range(model_names()));
  INFO(name);
  auto weights = open(golden + "/models/" + name);
  auto cases = read_golden(golden + "/models/" + name + "/golden.json");
  auto adapters = golden + "/adapters/" + name;
  std::shuffle(cases.begin(), cases.end(), std::mt19937(5));
  check(cases, run_all(weights, adapters, cases, {.token_ids = tiny_tokens}).answers);
  cases.resize(std::min<std::size_t>(cases.size(), 12));
  check(cases, alone(weights, adapters, cases, {.token_ids = tiny_tokens}));
}

TEST_CASE("answers are bit-equal in any mix, chunk, thread count and after preemption") {
  auto name = GENERATE(as<std::string>{}, "llama-tied-gqa", "llama-head-dim-llama3-v4", "llama-gguf-q4_1",
                       "mistral-window", "qwen3", "phi3", "gemma2");
  auto mode = GENERATE(from_range(modes()));
  INFO(name << ' ' << to_string(mode) << ", K and V in " << kv_format(mode));
  auto weights = open(golden + "/models/" + name);
  auto cases = read_golden(golden + "/models/" + name + "/golden.json");
  auto adapters = golden + "/adapters/" + name;
  std::shuffle(cases.begin(), cases.end(), std::mt19937(3));
  // Of adapters that hold more than pairs one case each, and others between them.
  std::set<std::string> kept;
  std::stable_partition(cases.begin(), cases.end(),
                        [&](auto& c) { return more_than_pairs(c.adapter) && kept.insert(c.adapter).second; });
  cases.resize(std::min<std::size_t>(cases.size(), 24 + kept.size()));
  std::shuffle(cases.begin(), cases.end(), std::mt19937(4));
  auto expected = alone(weights, adapters, cases, {.mode = mode});
  CHECK(run_all(weights, adapters, cases, {.mode = mode}).answers == expected);
  CHECK(run_all(weights, adapters, cases, {.mode = mode, .threads = 2}).answers == expected);
  CHECK(run_all(weights, adapters, cases, {.mode = mode, .threads = 3, .chunk = 7}).answers == expected);
  CHECK(run_all(weights, adapters, cases, {.mode = mode, .chunk = 1}).answers == expected);
  CHECK(run_all(weights, adapters, cases, {.mode = mode, .chunk = 3, .max_sequences = 5}).answers ==
        expected);
  // Three rows of logits at once.
  CHECK(run_all(weights, adapters, cases, {.mode = mode, .threads = 2, .logits_bytes = 4000}).answers ==
        expected);
  auto tight = run_all(weights, adapters, cases, {.mode = mode, .threads = 2, .chunk = 5, .blocks = 9});
  CHECK(tight.preemptions > 0);
  CHECK(tight.answers == expected);
  CHECK(run_all(weights, adapters, cases, {.mode = mode, .block_tokens = 48}).answers == expected);
}

TEST_CASE("weighted adapters on one sequence are the sums that PEFT makes of them, alone and mixed") {
  auto name =
      GENERATE(as<std::string>{}, "llama-tied-gqa", "llama-untied-bias-f16", "qwen2-bf16", "gemma", "phi3");
  INFO(name);
  auto weights = open(golden + "/models/" + name);
  auto adapters = golden + "/adapters/" + name;
  auto cases = read_golden(golden + "/models/" + name + "/compositions.json");
  REQUIRE(cases.size() >= 9);
  check(cases, alone(weights, adapters, cases, {.token_ids = tiny_tokens}));
  // Beside base rows and every single adapter.
  auto others = read_golden(golden + "/models/" + name + "/golden.json");
  cases.insert(cases.end(), others.begin(), others.end());
  std::shuffle(cases.begin(), cases.end(), std::mt19937(6));
  check(cases, run_all(weights, adapters, cases, {.token_ids = tiny_tokens}).answers);
  std::stable_partition(cases.begin(), cases.end(), [](auto& c) { return !c.composition.empty(); });
  cases.resize(40);
  std::shuffle(cases.begin(), cases.end(), std::mt19937(7));
  for (auto mode : modes()) {
    auto expected = alone(weights, adapters, cases, {.mode = mode});
    CHECK(run_all(weights, adapters, cases, {.mode = mode, .threads = 3, .chunk = 7}).answers == expected);
    CHECK(run_all(weights, adapters, cases, {.mode = mode, .chunk = 3, .max_sequences = 5}).answers ==
          expected);
  }
}

TEST_CASE("adapters merged matrix by matrix are what LoRAX's linear merge makes of them, alone and mixed") {
  auto name =
      GENERATE(as<std::string>{}, "llama-tied-gqa", "llama-untied-bias-f16", "qwen2-bf16", "gemma", "phi3");
  INFO(name);
  auto weights = open(golden + "/models/" + name);
  auto adapters = golden + "/adapters/" + name;
  auto cases = read_golden(golden + "/models/" + name + "/merges.json");
  REQUIRE(cases.size() >= 6);
  REQUIRE(std::ranges::all_of(cases, [](auto& c) { return c.combine == combination::linear; }));
  check(cases, alone(weights, adapters, cases, {.token_ids = tiny_tokens}));
  // Beside base rows, single adapters and sums, of the same adapters too.
  const auto merges = cases.size();
  for (auto file : {"/compositions.json", "/golden.json"})
    for (auto& other : read_golden(golden + "/models/" + name + file))
      if (cases.size() < merges + 90) cases.push_back(other);
  std::size_t different = 0;
  for (std::size_t i = 0; i < merges; ++i) {
    auto summed = cases[i];
    summed.combine = combination::sum;
    auto alike = run_all(weights, adapters, {summed}, {.token_ids = tiny_tokens}).answers[0];
    different += alike.tokens != cases[i].tokens ? 1 : 0;
    summed.tokens = alike.tokens;
    summed.logprobs.assign(alike.logprobs.begin(), alike.logprobs.end());
    cases.push_back(std::move(summed));
  }
  CHECK(different * 2 >= merges);
  std::shuffle(cases.begin(), cases.end(), std::mt19937(8));
  check(cases, run_all(weights, adapters, cases, {.token_ids = tiny_tokens}).answers);
  std::stable_partition(cases.begin(), cases.end(), [](auto& c) { return !shares_of(c).empty(); });
  std::stable_partition(cases.begin(), cases.end(), [](auto& c) { return c.combine == combination::linear; });
  cases.resize(std::min<std::size_t>(cases.size(), 40));
  std::shuffle(cases.begin(), cases.end(), std::mt19937(9));
  for (auto mode : modes()) {
    auto expected = alone(weights, adapters, cases, {.mode = mode});
    CHECK(run_all(weights, adapters, cases, {.mode = mode, .threads = 3, .chunk = 7}).answers == expected);
    CHECK(run_all(weights, adapters, cases, {.mode = mode, .chunk = 3, .max_sequences = 5}).answers ==
          expected);
    auto tight = run_all(weights, adapters, cases, {.mode = mode, .threads = 2, .chunk = 5, .blocks = 9});
    CHECK(tight.preemptions > 0);
    CHECK(tight.answers == expected);
  }
}

TEST_CASE("merges in the default mode stay near the reference") {
  auto name = GENERATE(as<std::string>{}, "llama-tied-gqa", "phi3");
  auto weights = open(golden + "/models/" + name);
  auto cases = read_golden(golden + "/models/" + name + "/merges.json");
  for (auto& c : cases)
    c.tokens.resize(1);
  auto answers = run_all(weights, golden + "/adapters/" + name, cases,
                         {.mode = cpu_dtype::bfloat16, .token_ids = tiny_tokens})
                     .answers;
  for (std::size_t i = 0; i < cases.size(); ++i) {
    INFO(name << ", case " << i);
    if (answers[i].tokens == cases[i].tokens)
      CHECK(std::abs(static_cast<double>(answers[i].logprobs[0]) - cases[i].logprobs[0]) < 0.3);
  }
}

TEST_CASE("the default mode stays near the reference, with adapters of every kind, with keys as codes too") {
  auto name = GENERATE(from_range(model_names()));
  const bool int8_kv = GENERATE(false, true);
  auto weights = open(golden + "/models/" + name);
  auto cases = read_golden(golden + "/models/" + name + "/golden.json");
  for (auto& c : cases)
    c.tokens.resize(1);
  auto answers = run_all(weights, golden + "/adapters/" + name, cases,
                         {.mode = {cpu_dtype::bfloat16, false, false, int8_kv}, .token_ids = tiny_tokens})
                     .answers;
  std::map<std::string, std::pair<double, int>> apart;  // by adapter: differences and cases
  int same = 0;
  for (std::size_t i = 0; i < cases.size(); ++i) {
    if (answers[i].tokens != cases[i].tokens) continue;
    ++same;
    auto& [sum, count] = apart[cases[i].adapter];
    sum += std::abs(static_cast<double>(answers[i].logprobs[0]) - cases[i].logprobs[0]);
    ++count;
  }
  CHECK(same * 10 >= static_cast<int>(cases.size()) * 9);
  for (auto& [adapter, far] : apart) {
    INFO(name << " '" << adapter << "'" << (int8_kv ? ", K and V in int8" : ""));
    CHECK(far.first / far.second < (int8_kv ? 0.25 : 0.15));
  }
}

TEST_CASE("the default model with its adapters gives the reference's tokens in exact mode", "[model]") {
  std::string file = LORICA_SOURCE_DIR "/models/SmolLM2-135M-Instruct.Q4_1.gguf";
  if (!fs::exists(file) || !fs::exists(golden + "/default_model.json")) {
    WARN("skipped: the default model or its goldens are not there");
    return;
  }
  auto weights = open_model(file);
  REQUIRE(weights);
  auto cases = read_golden(golden + "/default_model.json");
  REQUIRE(cases.size() >= 10);
  check(
      cases,
      run_all(*weights, LORICA_SOURCE_DIR "/examples/adapters", cases, {.threads = 2, .chunk = 96}).answers);
}
