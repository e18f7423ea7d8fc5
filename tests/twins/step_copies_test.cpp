// What crosses the bus in a step.
#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "tests/catch.hpp"
#include "tests/cpu/golden_model.hpp"
#include "tests/emulated_device/runtime.hpp"
#include "tests/twins/whole_model.hpp"

using namespace lorica;
using namespace lorica::testing;

namespace {

struct crossings {
  std::uint64_t to_device = 0, from_device = 0;
  std::size_t known = 0;  // tokens that others computed
  bool reads = false;     // logits of any row
};

/// An executor that tells how often each step copied to the device and from it. What attaching began is done
/// before the next step.
class counted_executor final : public executor {
 public:
  counted_executor(std::unique_ptr<executor> real, std::vector<crossings>& seen)
      : real_(std::move(real)), seen_(seen) {}

  const executor_limits& limits() const noexcept override { return real_->limits(); }
  std::string description() const override { return real_->description(); }
  const adapter_packer& packer() const noexcept override { return real_->packer(); }
  result<void> attach(const std::shared_ptr<const packed_adapter>& adapter) override {
    auto ok = real_->attach(adapter);
    emulated_device::peek([] {});
    return ok;
  }
  void detach(const packed_adapter& adapter) noexcept override { real_->detach(adapter); }
  void rest(std::span<const std::uint32_t> empty) noexcept override { real_->rest(empty); }

  result<step_output> execute(const batch& step) override {
    const auto before = now();
    auto out = real_->execute(step);
    const auto after = now();
    const auto reads = std::ranges::any_of(step.sequences, &sequence_rows::sample);
    seen_.push_back({after.to_device - before.to_device, after.from_device - before.from_device,
                     step.known.size(), reads});
    return out;
  }

 private:
  static crossings now() {
    return {emulated_device::copies_done(cudaMemcpyHostToDevice).count,
            emulated_device::copies_done(cudaMemcpyDeviceToHost).count};
  }

  std::unique_ptr<executor> real_;
  std::vector<crossings>& seen_;
};

executor_maker counted(const device_drive& device, std::vector<crossings>& seen) {
  return [make = on_device(device), &seen](const std::shared_ptr<const model_weights>& weights,
                                           const drive& how, std::uint32_t blocks) {
    return std::make_unique<counted_executor>(make(weights, how, blocks), seen);
  };
}

/// Cases with adapters, penalties, rules and seeds, some of which begin alike.
std::vector<golden_case> mixed_cases(std::vector<golden_case> cases) {
  std::erase_if(cases, [](auto& c) { return shares_of(c).size() > 1; });
  cases.resize(std::min<std::size_t>(cases.size(), 6));
  for (std::size_t i = 0; i < cases.size(); ++i) {
    auto& c = cases[i];
    c.tokens.resize(std::min<std::size_t>(c.tokens.size(), 4));
    c.prompt.resize(40, 17);
    c.top_logprobs = 2;
    c.sampling.sample = i % 2 == 0;
    c.sampling.seed = i;
    c.sampling.repetition_penalty = 1.1f;
    token_rules rules;
    rules.biases = {{5, 1.5f}};
    rules.allowed.emplace();
    for (token_id t = 0; t < 300; ++t)
      rules.allowed->push_back(t);
    if (i % 3 != 0) c.sampling.rules = shared_rules(std::move(rules));
  }
  const auto first = cases;
  cases.insert(cases.end(), first.begin(), first.end());
  return cases;
}

}  // namespace

TEST_CASE("a step crosses the bus once each way, whatever its rows ask for") {
  const auto graphs = GENERATE(true, false);
  const auto g = open_golden("llama-tied-gqa");
  std::vector<crossings> seen;
  const auto done =
      run_all(g.weights, g.adapters, mixed_cases(g.cases),
              {.chunk = 24, .max_sequences = 3, .token_ids = 320}, counted({.graphs = graphs}, seen));
  CHECK(done.prefix_hits > 0);
  REQUIRE(seen.size() > 10);
  CHECK(std::ranges::any_of(seen, [](auto& s) { return s.known > 0; }));
  for (auto& s : seen) {
    CHECK(s.to_device == 1);
    CHECK(s.from_device == (s.reads ? 1u : 0u));
  }
}

TEST_CASE("tokens of rows whose rules find no room on the device are those that the host chose") {
  const auto graphs = GENERATE(true, false);
  const auto g = open_golden("llama-tied-gqa");
  auto cases = mixed_cases(g.cases);
  token_rules rules;
  rules.biases = {{7, 60.0f}};
  // Ids that the vocabulary has not: they change nothing but take all of the room.
  rules.late.resize(std::size_t{1} << 19);
  std::iota(rules.late.begin(), rules.late.end(), 1000);
  for (std::size_t i = 0; i < cases.size(); i += 2) {
    cases[i].sampling = {};
    cases[i].sampling.min_tokens = 3;
    cases[i].sampling.rules = shared_rules(rules);
  }
  const drive how{.chunk = 24, .max_sequences = 3, .token_ids = 320};
  const auto cpu =
      run_all(g.weights, g.adapters, cases, {.mode = cpu_dtype::bfloat16, .token_ids = 320}).answers;
  const auto gpu = run_all(g.weights, g.adapters, cases, how, on_device({.graphs = graphs})).answers;
  for (std::size_t i = 0; i < cases.size(); i += 2) {
    INFO("case " << i);
    CHECK(gpu[i].tokens.front() == 7);
    CHECK(gpu[i].tokens.front() == cpu[i].tokens.front());
    CHECK(std::abs(gpu[i].logprobs.front() - cpu[i].logprobs.front()) < 0.4f);
  }
}
