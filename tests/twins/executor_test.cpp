// Whole models on both executors: the same tokens where the model is sure of them.
#include <algorithm>
#include <random>

#include "tests/catch.hpp"
#include "tests/emulated_device/runtime.hpp"
#include "tests/twins/whole_model.hpp"

using namespace lorica;
using namespace lorica::testing;

namespace {

constexpr std::uint32_t tiny_tokens = 320;

/// Of so many cases of a folder the first tokens, with the alternatives that a comparison asks for.
std::vector<golden_case> some_of(std::vector<golden_case> cases, std::size_t count, std::size_t tokens) {
  std::shuffle(cases.begin(), cases.end(), std::mt19937(11));
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

}  // namespace

TEST_CASE("base rows get the CPU's tokens on the device") {
  auto name = GENERATE(as<std::string>{}, "llama-tied-gqa");
  INFO(name);
  auto g = open_golden(name);
  const auto cases = some_of(base_only(g.cases), 6, 8);
  REQUIRE_FALSE(cases.empty());
  const drive how{.mode = cpu_dtype::bfloat16, .chunk = 24, .max_sequences = 4, .token_ids = tiny_tokens};
  const auto cpu = run_all(g.weights, g.adapters, cases, how).answers;
  const auto gpu = run_all(g.weights, g.adapters, cases, how, on_device()).answers;
  const auto agreed = compare(cpu, gpu, 0.25);
  WARN(agreed.compared << " of " << agreed.all << " worst " << agreed.worst << " mean " << agreed.mean);
  CHECK(agreed.different == 0);
  CHECK(agreed.compared * 2 > agreed.all);
  CHECK(agreed.worst < 0.3);
}
