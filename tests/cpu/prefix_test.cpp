// Tokens that others computed are as good as computed: the same bits, on every path that reads them.
#include <algorithm>
#include <random>

#include "tests/catch.hpp"
#include "tests/cpu/golden_model.hpp"

using namespace lorica;
using namespace lorica::testing;

namespace {

const std::string golden = LORICA_TEST_DATA "/golden";
constexpr std::size_t answer_tokens = 5;

/// Prompts that begin as one of three documents and go on alone, for base and adapters, greedy and drawn,
/// with penalties that look at the whole prompt.
std::vector<golden_case> cases_of(const std::vector<std::string>& adapters, unsigned seed) {
  std::mt19937 random(seed);
  auto roll = [&random](std::size_t sides) { return static_cast<std::size_t>(random() % sides); };
  std::vector<std::vector<token_id>> documents(3);
  for (auto& text : documents)
    for (std::size_t i = 0; i < 90; ++i)
      text.push_back(static_cast<token_id>(3 + roll(300)));
  std::vector<golden_case> out;
  for (std::size_t i = 0; i < 24; ++i) {
    golden_case c;
    if (i % 3 != 0) c.adapter = adapters[roll(adapters.size())];
    auto& text = documents[roll(2 + (i % 2))];
    c.prompt.assign(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(16 + roll(70)));
    for (auto left = roll(12); left > 0; --left)
      c.prompt.push_back(static_cast<token_id>(3 + roll(300)));
    c.tokens.resize(answer_tokens);
    c.top_logprobs = 2;
    c.sampling.repetition_penalty = i % 2 == 0 ? 1.0f : 1.3f;
    c.sampling.sample = i % 4 == 1;
    c.sampling.seed = 11;
    if (i % 8 == 5) c.prompt_logprobs = 1;
    out.push_back(std::move(c));
  }
  return out;
}

}  // namespace

TEST_CASE("answers are bit-equal whether their beginnings were computed for them or for others") {
  auto name = GENERATE(as<std::string>{}, "llama-tied-gqa", "llama-gguf-q4_1", "mistral-window", "qwen3",
                       "phi3", "gemma2");
  auto mode = GENERATE(from_range(modes()));
  INFO(name << ' ' << to_string(mode) << ", K and V in " << kv_format(mode));
  auto path = golden + "/models/" + name;
  auto opened = open_model(name == "llama-gguf-q4_1" ? path + "/model.gguf" : path);
  REQUIRE(opened);
  auto& weights = *opened;
  auto folder = golden + "/adapters/" + name;
  auto cases = cases_of({"all-linear", "dora", "embedding-and-head"}, 4);
  std::vector<answer> alone;
  for (auto& c : cases)
    alone.push_back(run_all(weights, folder, {c}, {.mode = mode, .prefix_caching = false}).answers[0]);
  // All at once: those that begin alike wait for the first of them. Few at once: the later find it done.
  auto together = run_all(weights, folder, cases, {.mode = mode, .threads = 2});
  CHECK(together.answers == alone);
  CHECK(together.prefix_hits > 100);
  auto few = run_all(weights, folder, cases, {.mode = mode, .chunk = 7, .max_sequences = 3});
  CHECK(few.answers == alone);
  CHECK(few.prefix_hits > 100);
  auto tight = run_all(weights, folder, cases, {.mode = mode, .chunk = 9, .blocks = 14});
  CHECK(tight.answers == alone);
  CHECK(tight.prefix_hits > 0);
  CHECK(run_all(weights, folder, cases, {.mode = mode, .prefix_caching = false}).prefix_hits == 0);
}
