// Whole models that are made in code, on both executors: for hosts that have a device and not our libraries.
#include <algorithm>

#include "tests/catch.hpp"
#include "tests/twins/seeded_model.hpp"
#include "tests/twins/whole_model.hpp"

using namespace lorica;
using namespace lorica::testing;

namespace {

drive few_at_once() {
  return {.mode = cpu_dtype::bfloat16, .chunk = 24, .max_sequences = 6};
}

std::vector<answer> first_of(std::vector<answer> answers, std::size_t count) {
  answers.resize(count);
  return answers;
}

std::vector<golden_case> without_adapters(std::vector<golden_case> cases) {
  for (auto& c : cases) {
    c.adapter.clear();
    c.composition.clear();
  }
  return cases;
}

}  // namespace

TEST_CASE("every kind of model that is made in code gets the CPU's tokens on the device, with adapters") {
  if (!device_is_here()) return;
  const auto name = GENERATE(from_range(seeded_names()));
  INFO(name);
  const auto model = seeded_model(name);
  const auto adapters = seeded_adapters(model);
  auto names = seeded_adapter_names();
  names.emplace_back();
  const auto cases = seeded_cases(names, 12, 6);
  const auto cpu = run_all(model, adapters, cases, few_at_once()).answers;
  const auto gpu = run_all(model, adapters, cases, few_at_once(), on_device()).answers;
  check_agreement(cpu, gpu, 0.6);
  const auto base = run_all(model, adapters, without_adapters(cases), few_at_once()).answers;
  for (std::size_t i = 0; i < cases.size(); ++i) {
    INFO("case " << i << ", adapter '" << cases[i].adapter << "'");
    CHECK((base[i].tokens == cpu[i].tokens) == shares_of(cases[i]).empty());
  }
}

// The same numbers of rows in every step, so in every mode of products.
TEST_CASE("base rows have the same bits whether the rows beside them have adapters or not") {
  if (!device_is_here()) return;
  const auto graphs = GENERATE(true, false);
  const auto same_products = GENERATE(true, false);
  INFO("recorded " << graphs << ", same products " << same_products);
  const auto model = seeded_model("qwen3");
  const auto adapters = seeded_adapters(model);
  auto cases = seeded_cases({""}, 3, 10);
  const auto alone = cases;
  for (auto& beside : seeded_cases(seeded_adapter_names(), 5, 10))
    cases.push_back(beside);
  const auto make = on_device({.graphs = graphs, .same_products = same_products});
  const auto beside_adapters = run_all(model, adapters, cases, few_at_once(), make).answers;
  const auto beside_base = run_all(model, adapters, without_adapters(cases), few_at_once(), make).answers;
  CHECK(first_of(beside_adapters, 3) == first_of(beside_base, 3));
  CHECK(beside_adapters[3].tokens != beside_base[3].tokens);
  if (same_products) {
    CHECK(first_of(beside_adapters, 3) == run_all(model, adapters, alone, few_at_once(), make).answers);
  }
}

TEST_CASE("answers of a model that is made in code are bit-equal in any mix, chunk, recorded or not") {
  if (!device_is_here()) return;
  const auto model = seeded_model("gemma2");
  const auto adapters = seeded_adapters(model);
  const auto cases = seeded_cases(seeded_adapter_names(), 7, 10);
  const auto run = [&](const drive& how, bool graphs = true) {
    auto device = in_any_mix();
    device.graphs = graphs;
    return run_all(model, adapters, cases, how, on_device(device));
  };
  const auto expected = run({.chunk = 64, .max_sequences = 1}, false).answers;
  CHECK(run({}).answers == expected);
  CHECK(run({.chunk = 7, .max_sequences = 5}).answers == expected);
  const auto tight = run({.chunk = 5, .blocks = 7});
  CHECK(tight.preemptions > 0);
  CHECK(tight.answers == expected);
}
