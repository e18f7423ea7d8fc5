// G-2 and G-5: steps of prompts.
#include <algorithm>
#include <string>

#include "bench/gpu/attached.hpp"
#include "bench/gpu/cases.hpp"
#include "bench/gpu/decode_run.hpp"

namespace lorica::bench {
namespace {

void tell_prompt(row& r, std::uint32_t tokens, double operations, const times& t) {
  r.graphs = false;
  r.time = t;
  r.size("tokens", tokens);
  r.figure("tokens_per_second", tokens / t.median);
  r.figure("tflops", operations / t.median / 1e12);
}

}  // namespace

void base_prefill(session& s) {
  const auto& prompts = s.sizes().prompts;
  const auto most = *std::ranges::max_element(prompts);
  for (auto tokens : prompts) {
    static_cast<void>(s.products(tokens, 1));
    static_cast<void>(s.bfloat_rate(tokens));
  }
  auto engine = s.make({.sequences = 1, .tokens = most, .rows = most});
  const step_maker steps(engine->limits(), s.model());
  for (auto tokens : prompts)
    s.add("G-2", "prefill " + std::to_string(tokens), [&](row& r) {
      const auto step = steps.make({.rows = tokens});
      warm_up(s.settings().how.warm_seconds, [&] { execute(*engine, step); });
      const auto t = repeat(s.settings().how, [&] { return execute(*engine, step); });
      const double linear = linear_operations(s.model(), tokens, 1);
      const double all = linear + attention_operations(s.model(), tokens, 0);
      tell_prompt(r, tokens, all, t);
      const double products = s.products(tokens, 1).prompt_step(s.model());
      const double floor = prompt_floor(s.model(), tokens, products, s.bfloat_rate(tokens));
      r.figure("products_ms", 1e3 * products).figure("products_tflops", linear / products / 1e12);
      r.figure("floor_ms", 1e3 * floor).figure("floor_share", share_of(floor, t.median));
      r.at_least("floor_share", 0.85);
    });
}

/// Prompts of equal length in one step, each with its own adapter, in turns with the same without.
void adapted_prefill(session& s) {
  const auto most_tokens = *std::ranges::max_element(s.sizes().adapted_prompts);
  const auto most = *std::ranges::max_element(s.sizes().prompt_adapters);
  const auto rank = s.sizes().rank;
  const auto adapters = random_adapters(s.weights(), {all_projections(), {rank}}, {.count = most});
  executor_need need_of{.sequences = most, .tokens = most_tokens, .rows = most_tokens};
  need_of.adapter_bytes = room_for(adapters);
  need_of.adapters = most;
  auto engine = s.make(need_of);
  attached here(*engine, adapters);
  const step_maker steps(engine->limits(), s.model());
  for (auto tokens : s.sizes().adapted_prompts)
    for (auto count : s.sizes().prompt_adapters)
      s.add("G-5", "prefill " + std::to_string(tokens) + ", " + std::to_string(count) + " adapters",
            [&](row& r) {
              even_step shape{.sequences = count, .rows = tokens / count};
              const auto base = steps.make(shape);
              shape.adapters = std::span(adapters).first(count);
              const auto with = steps.make(shape);
              warm_up(s.settings().how.warm_seconds, [&] { execute(*engine, with); });
              const auto turns = repeat_in_turns(
                  s.settings().how, [&] { return execute(*engine, base); },
                  [&] { return execute(*engine, with); });
              const auto each = tokens / count;
              const double operations = linear_operations(s.model(), each * count, count) +
                                        count * attention_operations(s.model(), each, 0);
              tell_prompt(r, each * count, operations, turns.other);
              r.size("rank", rank).size("adapters", count).figure("base_ms", 1e3 * turns.base.median);
              r.figure("over_base_percent", percent_over(turns.base.median, turns.other.median));
              if (s.is_usual()) r.at_most("over_base_percent", 3);
            });
}

}  // namespace lorica::bench
