// G-7: the first token of an adapter that lies in pinned host memory only, and what other streams notice.
#include <algorithm>
#include <string>

#include "bench/gpu/attached.hpp"
#include "bench/gpu/cases.hpp"
#include "bench/gpu/decode_run.hpp"
#include "gpu/device.hpp"

namespace lorica::bench {
namespace {

constexpr std::uint32_t small_difference_runs = 3;  // times as many: a hundredth of a step is looked for

/// Seconds from the wish to the first token.
struct first_tokens {
  times warm;                      ///< the adapter is there
  times cold;                      ///< its copy begins with the step
  times synchronous;               ///< the step begins when the copy is done
  double visible = 0;              ///< median of cold less warm, turn by turn
  double synchronous_visible = 0;  ///< of synchronous less warm
};

/// The three in turns. The adapter is attached and detached by it.
first_tokens measure_first_tokens(session& s, executor& engine, const batch& step,
                                  const std::shared_ptr<const packed_adapter>& adapter) {
  const auto device = need(gpu::device::open(s.settings().device));
  auto how = s.settings().how;
  how.runs *= small_difference_runs;
  std::vector<double> warm, cold, synchronous;
  need(engine.attach(adapter));
  warm_up(how.warm_seconds, [&] { execute(engine, step); });
  engine.detach(*adapter);
  for (std::uint32_t i = 0; i < how.warmups + how.runs; ++i) {
    const double at_once = seconds_of([&] {
      need(engine.attach(adapter));
      static_cast<void>(need(engine.execute(step)));
    });
    const double there = execute(engine, step);
    engine.detach(*adapter);
    const double after = seconds_of([&] {
      need(engine.attach(adapter));
      need(device.synchronise());
      static_cast<void>(need(engine.execute(step)));
    });
    engine.detach(*adapter);
    if (i < how.warmups) continue;
    cold.push_back(at_once);
    warm.push_back(there);
    synchronous.push_back(after);
  }
  const auto seen = pairs_of(warm, cold), waited = pairs_of(warm, synchronous);
  return {seen.base, seen.other, waited.other, seen.median_difference, waited.median_difference};
}

void tell_first_tokens(session& s, row& r, const first_tokens& t, double bytes) {
  const double copy = bytes / s.copies().to_device;
  r.graphs = false;
  r.time = t.cold;
  r.size("rank", s.sizes().rank).size("adapter_bytes", bytes);
  r.figure("warm_ms", 1e3 * t.warm.median).figure("cold_ms", 1e3 * t.cold.median);
  r.figure("synchronous_ms", 1e3 * t.synchronous.median).figure("copy_ms", 1e3 * copy);
  r.figure("visible_ms", 1e3 * t.visible);
  r.figure("visible_percent", 100 * share_of(std::max(0.0, t.visible), copy));
  r.figure("synchronous_visible_percent", 100 * share_of(std::max(0.0, t.synchronous_visible), copy));
}

/// Others decode while an adapter comes, in turns with steps during which none does.
void tell_others(session& s, row& r, executor& engine, decode_run& run, std::uint32_t others,
                 const std::shared_ptr<const packed_adapter>& adapter) {
  const auto device = need(gpu::device::open(s.settings().device));
  warm_up(s.settings().how.warm_seconds, [&] { run.step(others, {}); });
  const auto turns = repeat_in_turns(
      s.settings().how, [&] { return run.step(others, {}); },
      [&] {
        double took = seconds_of([&] { need(engine.attach(adapter)); });
        took += run.step(others, {});
        need(device.synchronise());
        engine.detach(*adapter);
        return took;
      });
  r.graphs = s.settings().graphs;
  r.time = turns.other;
  r.size("rows", others).figure("base_ms", 1e3 * turns.base.median);
  r.figure("over_base_percent", percent_over(turns.base.median, turns.other.median));
  r.at_most("over_base_percent", 5);
}

}  // namespace

void cold_adapters(session& s) {
  static_cast<void>(s.copies());
  const auto adapter = random_adapters(s.weights(), {all_projections(), {s.sizes().rank}}, {.count = 1});
  const double bytes = adapter_bytes(s.model(), all_projections(), s.sizes().rank);
  const auto most = *std::ranges::max_element(s.sizes().cold_prompts);
  {
    executor_need need_of{.sequences = 1, .tokens = most, .rows = most};
    // Two at once: the memory of the one before may still be read.
    need_of.adapter_bytes = 2 * room_for(adapter);
    need_of.adapters = 2;
    auto engine = s.make(need_of);
    const step_maker steps(engine->limits(), s.model());
    for (auto tokens : s.sizes().cold_prompts)
      s.add("G-7", "cold, prompt of " + std::to_string(tokens), [&](row& r) {
        const auto step = steps.make({.rows = tokens, .adapters = adapter});
        r.size("tokens", tokens);
        tell_first_tokens(s, r, measure_first_tokens(s, *engine, step, adapter.front()), bytes);
        if (tokens >= 2048) r.at_most("visible_percent", 10);
      });
  }
  const auto others = std::max(1u, s.sizes().rows - 1);
  executor_need need_of{.sequences = others};
  need_of.tokens = decode_run::tokens_needed(s.sizes().context, s.settings().how);
  need_of.rows = s.sizes().context;
  need_of.adapter_bytes = 2 * room_for(adapter);
  need_of.adapters = 2;
  auto engine = s.make(need_of);
  decode_run run(*engine, s.model(), others, s.sizes().context, s.settings().how);
  s.add("G-7", "others while it comes",
        [&](row& r) { tell_others(s, r, *engine, run, others, adapter.front()); });
}

}  // namespace lorica::bench
