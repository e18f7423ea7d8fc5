// Steps that are planned while the one before is computed, through planner and executors: rows whose token is
// what their sequence sampled last, and steps that are dropped or withdrawn.
#include <functional>

#include "tests/catch.hpp"
#include "tests/twins/seeded_model.hpp"
#include "tests/twins/whole_model.hpp"

using namespace lorica;
using namespace lorica::testing;

namespace {

/// Of different lengths, one after the other, drawn and greedy, with adapters and without.
std::vector<golden_case> mixed_cases() {
  auto names = seeded_adapter_names();
  names.emplace_back();
  auto cases = seeded_cases(names, 10, 0);
  for (std::size_t i = 0; i < cases.size(); ++i) {
    auto& c = cases[i];
    c.tokens.resize(4 + i * 7 % 29);
    c.sampling.sample = i % 3 == 0;
    c.sampling.seed = i;
    if (i % 2 == 0) c.sampling.repetition_penalty = 1.2f;
  }
  return cases;
}

/// Some end with a token of their own, in the midst of what they gave before.
void end_early(std::vector<golden_case>& cases, const std::vector<answer>& given) {
  for (std::size_t i = 0; i < cases.size(); i += 3) {
    token_rules rules;
    rules.stops = {given[i].tokens[given[i].tokens.size() / 2]};
    cases[i].sampling.rules = shared_rules(std::move(rules));
  }
}

std::size_t tokens_of(const std::vector<answer>& answers) {
  std::size_t out = 0;
  for (auto& a : answers)
    out += a.tokens.size();
  return out;
}

executor_maker maker(const std::string& where) {
  auto device = in_any_mix();
  device.graphs = where == "recorded";
  return where == "cpu" ? executor_maker(make_cpu) : on_device(device);
}

drive one_after_another(std::uint32_t apart, std::uint32_t blocks) {
  return {.mode = cpu_dtype::bfloat16, .chunk = 16, .blocks = blocks, .max_sequences = 5, .apart = apart};
}

/// The answers of `how`, which are the same with steps that are planned ahead: a third of all, at least.
std::vector<answer> check_ahead(const std::vector<golden_case>& cases, drive how, const std::string& where,
                                const std::function<void(const outcome&)>& check) {
  const auto model = seeded_model("llama");
  const auto adapters = seeded_adapters(model);
  const auto expected = run_all(model, adapters, cases, how, maker(where));
  how.plan_ahead = true;
  const auto ahead = run_all(model, adapters, cases, how, maker(where));
  INFO(where << ": " << ahead.ahead << " of " << ahead.steps << " steps ahead, " << ahead.dropped
             << " dropped, " << ahead.withdrawn << " withdrawn, " << ahead.preemptions << " preemptions");
  CHECK(ahead.answers == expected.answers);
  CHECK(expected.ahead == 0);
  CHECK(ahead.ahead * 3 > ahead.steps);
  CHECK(ahead.withdrawn > 0);
  check(ahead);
  return expected.answers;
}

}  // namespace

TEST_CASE(
    "steps that are planned ahead give the same texts, whoever comes meanwhile and whose blocks run out") {
  if (!device_is_here()) return;
  const auto where = GENERATE(as<std::string>{}, "recorded", "cpu");
  check_ahead(mixed_cases(), one_after_another(4, 12), where,
              [](const outcome& ahead) { CHECK(ahead.preemptions > 0); });
}

TEST_CASE("steps that are planned ahead give the same texts, though some end before their length") {
  if (!device_is_here()) return;
  const auto where = GENERATE(as<std::string>{}, "recorded", "not recorded", "cpu");
  auto cases = mixed_cases();
  const auto how = one_after_another(3, 0);
  const auto model = seeded_model("llama");
  const auto to_length = run_all(model, seeded_adapters(model), cases, how, maker(where)).answers;
  end_early(cases, to_length);
  const auto answers = check_ahead(cases, how, where, [](const outcome& ahead) { CHECK(ahead.dropped > 0); });
  CHECK(tokens_of(answers) < tokens_of(to_length));
}
