// G-8, G-9 and G-10: planner, executor and adapters in real time.
#include <algorithm>
#include <numeric>
#include <string>

#include "bench/gpu/cases.hpp"
#include "bench/gpu/failure.hpp"
#include "bench/gpu/live_server.hpp"

namespace lorica::bench {
namespace {

constexpr double first_token_limit = 6;     // seconds, S-LoRA's (Sheng et al. 2023, section 7.1)
constexpr double share_of_capacity = 0.9;   // that requests arrive at
constexpr std::uint32_t prompt_rows = 512;  // per step, beside those that decode

/// What a planner does in another way than usual.
struct planner_variant {
  bool clusters = true;
  bool prefetches = true;
};

planner_options options_of(const session& s, const executor& engine, const planner_variant& how) {
  const auto& l = engine.limits();
  planner_options o;
  o.block_tokens = l.block_tokens;
  o.blocks = l.blocks;
  o.max_sequences = l.max_sequences;
  o.max_rows = l.max_rows;
  o.max_positions = l.max_positions;
  o.max_prefill_tokens = prompt_rows;
  o.max_waiting = most_requests;
  o.sizes = {static_cast<std::uint64_t>(weight_bytes(s.model())),
             static_cast<std::uint64_t>(kv_bytes(s.model()))};
  if (!how.clusters) o.cluster_gap = 0;
  if (!how.prefetches) o.leases_ahead = 0;
  return o;
}

/// An executor for traffic; `slots` adapters of the list at once.
std::unique_ptr<executor> make_for(session& s, const traffic_sizes& t, const adapter_list& adapters,
                                   std::uint32_t slots) {
  executor_need out;
  out.sequences = t.sequences;
  out.tokens = t.prompt + t.output;
  out.rows = t.sequences + prompt_rows;
  const auto largest = *std::ranges::max_element(adapters, {}, [](auto& a) { return a->bytes(); });
  out.adapter_bytes = std::min(room_for(adapters), slots * room_for({largest}));
  out.adapters = slots;
  out.fewer_blocks = true;
  return s.make(out);
}

live_outcome serve(session& s, executor& engine, const adapter_list& adapters,
                   const std::vector<request_arrival>& arrivals, const planner_variant& how = {}) {
  return live_server(engine, adapters, options_of(s, engine, how), s.model().vocab).serve(arrivals);
}

double requests_per_second(const live_outcome& o) {
  return share_of(static_cast<double>(o.requests.size()), o.seconds);
}

double attainment(const live_outcome& o) {
  const auto first = first_token_seconds(o);
  const auto good = std::ranges::count_if(first, [](double t) { return t <= first_token_limit; });
  return share_of(static_cast<double>(good), static_cast<double>(first.size()));
}

void tell_traffic(const session& s, row& r, const live_outcome& o, std::uint32_t adapters) {
  const auto first = first_token_seconds(o);
  r.graphs = s.settings().graphs;
  r.size("requests", static_cast<double>(o.requests.size())).size("adapters", adapters);
  r.figure("requests_per_second", requests_per_second(o));
  r.figure("tokens_per_second", share_of(static_cast<double>(o.tokens), o.seconds));
  r.figure("first_token_median_ms", 1e3 * quantile(first, 0.5));
  r.figure("first_token_p99_ms", 1e3 * quantile(first, 0.99));
  r.figure("attainment", attainment(o)).figure("seconds", o.seconds);
  r.figure("steps", static_cast<double>(o.steps)).figure("adapter_copies", static_cast<double>(o.copies));
}

/// Requests of one length, all at once, with adapters in turns.
std::vector<request_arrival> crowd(const traffic_sizes& t) {
  std::vector<request_arrival> out;
  for (std::uint32_t i = 0; i < t.requests; ++i)
    out.push_back({0, 1 + i % t.adapters, t.prompt, t.output});
  return out;
}

/// S-LoRA's traffic with lengths up to those of `t`.
std::vector<request_arrival> s_lora_arrivals(const traffic_sizes& t, std::uint32_t adapters, double rate,
                                             double seconds, double cv) {
  s_lora_traffic out;
  out.adapters = adapters;
  out.rate = rate;
  out.duration = std::max(seconds, 1.5 / rate);  // at least one request, however that is rounded
  out.cv = cv;
  out.input = {std::min(8u, t.prompt - 1), t.prompt};
  out.output = {std::min(8u, t.output - 1), t.output};
  return arrivals_of(need(plan(out)));
}

/// Adapters in pinned memory, as far as that is allowed to be.
adapter_list population(session& s, const adapter_kind& kind, std::uint32_t count) {
  double bytes = 0;
  for (auto rank : kind.ranks)
    bytes += count * adapter_bytes(s.model(), kind.on, rank) / static_cast<double>(kind.ranks.size());
  constexpr double gib = 1 << 30;
  if (bytes > s.settings().host_gib * gib)
    throw failure(fail(errc::out_of_memory, std::to_string(count) + " adapters need " +
                                                std::to_string(static_cast<std::uint64_t>(bytes / gib) + 1) +
                                                " GiB of pinned host memory; --host-memory allows fewer"));
  return random_adapters(s.weights(), kind, count);
}

/// The planner's choices against each other at bursts (cv 4).
void add_variants(session& s, executor& engine, const adapter_list& few,
                  const std::vector<request_arrival>& bursts) {
  const auto count = static_cast<std::uint32_t>(few.size());
  const auto name = std::to_string(count) + " adapters, cv 4";
  std::optional<live_outcome> plain;
  s.add("G-8", name + ", without clustering", [&](row& r) {
    plain = serve(s, engine, few, bursts, {.clusters = false});
    tell_traffic(s, r, *plain, count);
  });
  s.add("G-8", name + ", without prefetching",
        [&](row& r) { tell_traffic(s, r, serve(s, engine, few, bursts, {.prefetches = false}), count); });
  s.add("G-8", name, [&](row& r) {
    const auto o = serve(s, engine, few, bursts);
    tell_traffic(s, r, o, count);
    if (!plain) return;
    const double throughput = percent_over(requests_per_second(*plain), requests_per_second(o));
    const double attained = attainment(o) - attainment(*plain);
    r.figure("clustering_throughput_percent", throughput).figure("clustering_attainment", attained);
    // 5 % of throughput or 0.1 of attainment, whichever is nearer.
    r.figure("clustering_of_wanted", std::max(throughput / 5, attained / 0.1));
    r.at_least("clustering_of_wanted", 1);
  });
}

}  // namespace

void many_adapters(session& s) {
  const auto& t = s.sizes().s_lora;
  const auto populations = s.sizes().populations;
  const adapter_kind kind{{projection::q, projection::v}, s.sizes().mixed_ranks};
  const auto all = population(s, kind, populations.back());
  const adapter_list few(all.begin(), all.begin() + populations.front());
  auto engine = make_for(s, t, all, t.slots);
  double capacity = 0;
  s.add("G-8", "capacity", [&](row& r) {
    auto arrivals = s_lora_arrivals(t, populations.front(), t.requests, 1, 1);
    for (auto& a : arrivals)
      a.at = 0;
    const auto o = serve(s, *engine, few, arrivals);
    capacity = requests_per_second(o);
    tell_traffic(s, r, o, populations.front());
  });
  if (capacity == 0) return;
  const double rate = share_of_capacity * capacity, seconds = s.settings().traffic_seconds;
  double first = 0;
  for (auto count : populations)
    s.add("G-8", std::to_string(count) + " adapters", [&](row& r) {
      const adapter_list some(all.begin(), all.begin() + count);
      const auto o = serve(s, *engine, some, s_lora_arrivals(t, count, rate, seconds, 1));
      tell_traffic(s, r, o, count);
      r.size("rate", rate);
      if (count == populations.front()) {
        first = requests_per_second(o);
        return;
      }
      r.figure("below_first_percent", -percent_over(first, requests_per_second(o)));
      r.at_most("below_first_percent", 5);
    });
  add_variants(s, *engine, few, s_lora_arrivals(t, populations.front(), rate, seconds, 4));
}

void slot_thrash(session& s) {
  const auto& t = s.sizes().thrash;
  const auto adapters = population(s, {all_projections(), {s.sizes().rank}}, t.adapters);
  s_lora_traffic fixed{.adapters = t.adapters, .rate = t.rate, .duration = s.settings().traffic_seconds};
  fixed.input = {t.prompt, t.prompt + 1};
  fixed.output = {t.output, t.output + 1};
  const auto arrivals = arrivals_of(need(plan(fixed)));
  double cached = 0;
  for (auto slots : {t.adapters, t.slots})
    s.add("G-9", slots == t.adapters ? "all in slots" : std::to_string(slots) + " slots", [&](row& r) {
      auto engine = make_for(s, t, adapters, slots);
      const auto o = serve(s, *engine, adapters, arrivals);
      tell_traffic(s, r, o, t.adapters);
      r.size("slots", slots).size("rate", t.rate);
      const double median = quantile(first_token_seconds(o), 0.5);
      if (slots == t.adapters) {
        cached = median;
        return;
      }
      r.figure("over_cached", share_of(median, cached)).at_most("over_cached", 2);
    });
}

void chat_traffic(session& s) {
  const auto& t = s.sizes().chat;
  const adapter_kind kind{{projection::q, projection::v}, {s.sizes().rank}};
  const auto rates = s.rates();
  const auto adapters = population(s, kind, t.adapters);
  auto engine = make_for(s, t, adapters, t.slots);
  s.add("G-10", "chats", [&](row& r) {
    const auto o = serve(s, *engine, adapters, crowd(t));
    tell_traffic(s, r, o, t.adapters);
    const double ceiling = 1 / request_floor(s.model(), t.prompt, t.output, t.sequences, rates);
    r.figure("ceiling_requests_per_second", ceiling);
    r.figure("floor_share", share_of(requests_per_second(o), ceiling)).at_least("floor_share", 0.7);
    double bytes = 0;
    for (auto& a : adapters)
      bytes += static_cast<double>(a->bytes());
    const double base = static_cast<double>(engine->limits().weight_bytes);
    r.figure("memory_over_base_percent", 100 * bytes / base).at_most("memory_over_base_percent", 3);
  });
}

}  // namespace lorica::bench
