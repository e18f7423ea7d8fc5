#include <set>

#include "bench/workload.hpp"
#include "tests/catch.hpp"

using namespace lorica;

namespace {

class plain_adapter final : public packed_adapter {
 public:
  const adapter_version& version() const noexcept override { return version_; }
  std::uint64_t bytes() const noexcept override { return 1; }
  std::vector<std::uint32_t> ranks() const override { return {1}; }
  const merge_shape& shape() const noexcept override { return shape_; }

 private:
  adapter_version version_;
  merge_shape shape_;
};

/// Keeps the steps that it is given.
class recording_executor final : public executor, private adapter_packer {
 public:
  recording_executor() { limits_.block_tokens = 16; }

  const executor_limits& limits() const noexcept override { return limits_; }
  std::string description() const override { return "keeps steps"; }
  const adapter_packer& packer() const noexcept override { return *this; }
  result<step_output> execute(const batch& step) override {
    steps.push_back(step);
    return step_output{};
  }
  result<void> attach(const std::shared_ptr<const packed_adapter>&) override { return {}; }
  void detach(const packed_adapter&) noexcept override {}
  void rest(std::span<const std::uint32_t>) noexcept override {}

  std::vector<batch> steps;

 private:
  result<std::unique_ptr<adapter_packing>> begin(std::span<const site_shape>, std::span<const module_copy>,
                                                 std::stop_token) const override {
    return fail(errc::internal, "packs nothing");
  }
  std::uint64_t packed_bytes(const adapter_weights&) const override { return 0; }

  executor_limits limits_;
};

std::set<std::uint32_t> slots_of(const batch& step) {
  std::set<std::uint32_t> out;
  for (auto& s : step.sequences)
    out.insert(s.slot);
  return out;
}

std::set<std::uint32_t> blocks_of(const batch& step) {
  return {step.block_table.begin(), step.block_table.end()};
}

bool disjoint(const std::set<std::uint32_t>& a, const std::set<std::uint32_t>& b) {
  return std::ranges::none_of(a, [&](auto x) { return b.contains(x); });
}

}  // namespace

TEST_CASE("steps in turns are the base's and the adapters', each with slots and blocks of its own") {
  recording_executor engine;
  model_config model;
  model.vocab = 100;
  bench::workload w;
  w.streams = 3;
  w.adapters = 1;
  w.prompt = 20;
  w.decode = 4;
  const auto adapter = std::make_shared<plain_adapter>();
  const auto found = bench::run_in_turns(engine, model, w, {adapter});
  CHECK((found.over_base > 0 && found.step_seconds > 0 && found.base_step_seconds > 0));

  const auto prompts = std::size_t{2} * w.streams;
  REQUIRE(engine.steps.size() == prompts + 2 * w.decode);
  for (std::uint32_t i = 0; i < w.decode; ++i) {
    auto* base = &engine.steps[prompts + 2 * i];
    auto* with = base + 1;
    if (i % 2 == 1) std::swap(base, with);  // who is first changes
    CHECK(base->uses.empty());
    REQUIRE(with->uses.size() == 1);
    CHECK((with->uses[0].adapter == adapter.get() && with->segments[0].rows == w.streams));
    CHECK((slots_of(*base).size() == w.streams && slots_of(*with).size() == w.streams));
    CHECK(disjoint(slots_of(*base), slots_of(*with)));
    CHECK((blocks_of(*base).size() == 2 * w.streams && blocks_of(*with).size() == 2 * w.streams));
    CHECK(disjoint(blocks_of(*base), blocks_of(*with)));
    for (auto* step : {base, with})
      CHECK(std::ranges::all_of(step->sequences, [&](auto& s) { return s.context == w.prompt + i; }));
  }
}
