// Decisions of the planner per second: one decision is one sequence placed in one step. A closed loop of 32
// running sequences out of a queue of 256, 16 adapters, prompts of 64 tokens, 64 new tokens each; the device
// is a constant. A pool that is too small for all shows what preemption costs. Run:
// build/release/bin/planner_bench

#include <chrono>
#include <cstdio>
#include <memory>

#include "engine/planner.hpp"

namespace {

using namespace lorica;

class constant_adapter final : public packed_adapter {
 public:
  explicit constant_adapter(adapter_version v) : version_(v) {}
  const adapter_version& version() const noexcept override { return version_; }
  std::uint64_t bytes() const noexcept override { return 1; }
  std::vector<std::uint32_t> ranks() const override { return {8}; }
  const merge_shape& shape() const noexcept override { return shape_; }

 private:
  adapter_version version_;
  merge_shape shape_;
};

sequence make_sequence(sequence_id id) {
  sequence s;
  s.id = id;
  s.prompt.assign(64, 7);
  s.max_new_tokens = 64;
  adapter_version v;
  v.digest[0] = static_cast<std::uint8_t>(id % 17);
  if (id % 17 != 0) s.composition.push_back({v, 1.0f});
  return s;
}

step_output constant_output(const batch& work) {
  step_output out;
  for (std::uint32_t i = 0; i < work.sequences.size(); ++i)
    if (work.sequences[i].sample) out.tokens.push_back({i, 5, -1.0f});
  return out;
}

void measure(const char* name, std::uint32_t blocks) {
  planner plan({.block_tokens = 16,
                .blocks = blocks,
                .max_sequences = 32,
                .max_rows = 256,
                .max_positions = 2048,
                .max_prefill_tokens = 128,
                .max_waiting = 256});
  sequence_id id = 0;
  std::uint64_t decisions = 0;
  auto begin = std::chrono::steady_clock::now();
  while (decisions < 1'000'000) {
    while (plan.submit(make_sequence(id + 1)))
      ++id;
    auto step = plan.next_step();
    for (auto& version : plan.lease_wanted())
      static_cast<void>(plan.lease_granted(version, std::make_shared<constant_adapter>(version)));
    if (!step) continue;
    decisions += step->work->sequences.size();
    static_cast<void>(plan.complete(constant_output(*step->work)));
  }
  auto seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  auto s = plan.stats();
  std::printf("%-12s %.2f million decisions/s, %.1f us per step, %llu steps, %llu preemptions\n", name,
              static_cast<double>(decisions) / seconds / 1e6, seconds / static_cast<double>(s.steps) * 1e6,
              static_cast<unsigned long long>(s.steps), static_cast<unsigned long long>(s.preemptions));
}

}  // namespace

int main() {
  measure("roomy pool", 1024);
  measure("small pool", 150);
}
