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
  o.sizes = {static_cast<std::uint64_t>(weight_bytes(s.model(), s.settings().weights)),
             static_cast<std::uint64_t>(kv_bytes(s.model()))};
  if (!how.clusters) o.cluster_gap = 0;
  if (!how.prefetches) o.leases_ahead = 0;
  return o;
}

/// An executor for traffic with so many slots for adapters like these.
std::unique_ptr<executor> make_for(session& s, const traffic_sizes& t, const adapter_list& adapters,
                                   std::uint32_t slots) {
  executor_need out;
  out.sequences = t.sequences;
  out.tokens = t.prompt + t.output;
  out.rows = t.sequences + prompt_rows;
  const auto largest = *std::ranges::max_element(adapters, {}, [](auto& a) { return a->bytes(); });
  out.adapter_bytes = slots * room_for({largest});
  out.adapters = slots;
  out.fewer_blocks = true;
  return s.make(out);
}

/// What the cases of traffic serve, and until when.
struct traffic_run {
  const adapter_list& adapters;
  const std::vector<request_arrival>& arrivals;
  live_end end = {};
  planner_variant how = {};
};

live_outcome serve(session& s, executor& engine, const traffic_run& run) {
  return live_server(engine, run.adapters, options_of(s, engine, run.how), s.model().vocab)
      .serve(run.arrivals, run.end);
}

double requests_per_second(const live_outcome& o) {
  return share_of(static_cast<double>(o.ended), o.seconds);
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
  if (o.cut)
    r.cut = "the time was over when " + std::to_string(o.ended) + " of the " +
            std::to_string(o.requests.size()) + " requests that had come had ended";
  r.figure("ended", static_cast<double>(o.ended));
  r.figure("requests_per_second", requests_per_second(o));
  r.figure("tokens_per_second", share_of(static_cast<double>(o.tokens), o.seconds));
  r.figure("first_token_median_ms", 1e3 * quantile(first, 0.5));
  r.figure("first_token_p99_ms", 1e3 * quantile(first, 0.99));
  r.figure("attainment", attainment(o)).figure("seconds", o.seconds);
  r.figure("steps", static_cast<double>(o.steps)).figure("adapter_copies", static_cast<double>(o.copies));
}

/// Of a run that ends with the first tokens; the median.
double tell_first_tokens(const session& s, row& r, const live_outcome& o, std::uint32_t adapters) {
  const auto first = first_token_seconds(o);
  const double median = quantile(first, 0.5);
  r.graphs = s.settings().graphs;
  r.size("requests", static_cast<double>(o.requests.size())).size("adapters", adapters);
  const auto started = std::ranges::count_if(o.requests, [](auto& q) { return q.tokens != 0; });
  if (o.cut)
    r.cut = "the time was over when " + std::to_string(started) + " of the " +
            std::to_string(o.requests.size()) + " requests that had come had a token";
  r.figure("first_token_median_ms", 1e3 * median).figure("first_token_p99_ms", 1e3 * quantile(first, 0.99));
  r.figure("seconds", o.seconds).figure("adapter_copies", static_cast<double>(o.copies));
  return median;
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
adapter_list population(session& s, const adapter_kind& kind, const adapter_range& which) {
  double bytes = 0;
  const auto count = which.first + which.count;
  for (auto rank : kind.ranks)
    bytes += count * adapter_bytes(s.model(), kind.on, rank) / static_cast<double>(kind.ranks.size());
  constexpr double gib = 1 << 30;
  if (bytes > s.settings().host_gib * gib)
    throw failure(fail(errc::out_of_memory, std::to_string(count) + " adapters need " +
                                                std::to_string(static_cast<std::uint64_t>(bytes / gib) + 1) +
                                                " GiB of pinned host memory; --host-memory allows fewer"));
  return random_adapters(s.weights(), kind, which, [&s] { s.check_time(); });
}

/// G-8 on one executor.
class many_adapters_run {
 public:
  explicit many_adapters_run(session& s)
      : s_(s),
        t_(s.sizes().s_lora),
        kind_{{projection::q, projection::v}, s.sizes().mixed_ranks},
        few_(few_adapters()),
        engine_(make_for(s, t_, few_, t_.slots)) {}

  void measure() {
    measure_capacity();
    if (rate_ == 0) return;
    const auto all = s_.sizes().populations;
    // Of the time that is left the further adapters take as much as the first did, for each.
    const double making = making_seconds_ * (all.back() - all.front()) / all.front();
    const double left = s_.seconds_left();
    seconds_ = arrival_seconds(std::max(left - making, left / 2), 5, s_.settings().traffic_seconds);
    measure_population(few_);
    compare_clustering();
    s_.guard("G-8", [&] { add_the_others(all); });
    const auto bursts = arrivals(all.front(), rate_, seconds_, 4);
    s_.add("G-8", name() + ", cv 4, without prefetching", [&](row& r) {
      tell_traffic(s_, r, serve(s_, *engine_, {few_, bursts, end(), {.prefetches = false}}), count());
    });
  }

 private:
  adapter_list few_adapters() {
    adapter_list out;
    making_seconds_ =
        seconds_of([&] { out = population(s_, kind_, {.count = s_.sizes().populations.front()}); });
    return out;
  }

  std::uint32_t count() const { return static_cast<std::uint32_t>(few_.size()); }
  std::string name() const { return std::to_string(count()) + " adapters"; }
  live_end end() const { return {.seconds = s_.seconds_left()}; }
  std::vector<request_arrival> arrivals(std::uint32_t adapters, double rate, double seconds,
                                        double cv) const {
    return s_lora_arrivals(t_, adapters, rate, seconds, cv);
  }

  void measure_capacity() {
    s_.add("G-8", "capacity", [&](row& r) {
      auto all = arrivals(count(), t_.requests, 1, 1);
      for (auto& a : all)
        a.at = 0;
      const auto o = serve(s_, *engine_, {few_, all, {.seconds = s_.seconds_left() / 3}});
      rate_ = share_of_capacity * requests_per_second(o);
      tell_traffic(s_, r, o, count());
    });
  }

  void measure_population(const adapter_list& some) {
    const auto adapters = static_cast<std::uint32_t>(some.size());
    s_.add("G-8", std::to_string(adapters) + " adapters", [&](row& r) {
      const auto all = arrivals(adapters, rate_, seconds_, 1);
      const auto o = serve(s_, *engine_, {some, all, end()});
      tell_traffic(s_, r, o, adapters);
      r.size("rate", rate_).size("arrival_seconds", seconds_);
      if (adapters == count()) {
        first_ = requests_per_second(o);
        return;
      }
      if (first_ == 0) return;
      r.figure("below_first_percent", -percent_over(first_, requests_per_second(o)));
      r.at_most("below_first_percent", 5);
    });
  }

  /// The planner's choice against its absence at bursts (cv 4).
  void compare_clustering() {
    const auto bursts = arrivals(count(), rate_, seconds_, 4);
    std::optional<live_outcome> plain;
    s_.add("G-8", name() + ", cv 4, without clustering", [&](row& r) {
      plain = serve(s_, *engine_, {few_, bursts, end(), {.clusters = false}});
      tell_traffic(s_, r, *plain, count());
    });
    s_.add("G-8", name() + ", cv 4", [&](row& r) {
      const auto o = serve(s_, *engine_, {few_, bursts, end()});
      tell_traffic(s_, r, o, count());
      if (!plain || plain->cut) return;
      const double throughput = percent_over(requests_per_second(*plain), requests_per_second(o));
      const double attained = attainment(o) - attainment(*plain);
      r.figure("clustering_throughput_percent", throughput).figure("clustering_attainment", attained);
      // 5 % of throughput or 0.1 of attainment, whichever is nearer.
      r.figure("clustering_of_wanted", std::max(throughput / 5, attained / 0.1));
      r.at_least("clustering_of_wanted", 1);
    });
  }

  void add_the_others(const std::vector<std::uint32_t>& populations) {
    auto all = few_;
    for (std::size_t i = 1; i < populations.size(); ++i) {
      const auto there = static_cast<std::uint32_t>(all.size());
      try {
        for (auto& a : population(s_, kind_, {there, populations[i] - there}))
          all.push_back(a);
      } catch (const failure& why) {
        s_.add("G-8", std::to_string(populations[i]) + " adapters", [&](row&) { throw why; });
        return;
      }
      measure_population(all);
    }
  }

  session& s_;
  const traffic_sizes& t_;
  adapter_kind kind_;
  double making_seconds_ = 0, rate_ = 0, seconds_ = 0, first_ = 0;
  adapter_list few_;
  std::unique_ptr<executor> engine_;
};

/// Sequences that an executor has room for at their full length.
std::uint32_t sequences_at_once(const executor& engine, const traffic_sizes& t) {
  const auto& l = engine.limits();
  const auto each = (t.prompt + t.output + l.block_tokens - 1) / l.block_tokens;
  return std::clamp(l.blocks / each, 1u, t.sequences);
}

}  // namespace

void many_adapters(session& s) {
  many_adapters_run(s).measure();
}

/// Arrivals at half of what the card could do at its floors, that nobody waits for others' tokens; only first
/// tokens are waited for.
void slot_thrash(session& s) {
  const auto& t = s.sizes().thrash;
  const auto rates = s.rates();
  const auto adapters = population(s, {all_projections(), {s.sizes().rank}}, {.count = t.adapters});
  double cached = 0, rate = 0;
  std::vector<request_arrival> arrivals;
  for (auto slots : {t.adapters, t.slots})
    s.add("G-9", slots == t.adapters ? "all in slots" : std::to_string(slots) + " slots", [&](row& r) {
      auto engine = make_for(s, t, adapters, slots);
      const double left = s.seconds_left() / (slots == t.adapters ? 2 : 1);
      if (arrivals.empty()) {
        rate = thrash_rate(s.model(), t, sequences_at_once(*engine, t), rates);
        const double seconds = arrival_seconds(left, 1, s.settings().traffic_seconds);
        s_lora_traffic fixed{.adapters = t.adapters, .rate = rate, .duration = std::max(seconds, 1.5 / rate)};
        fixed.input = {t.prompt, t.prompt + 1};
        fixed.output = {t.output, t.output + 1};
        arrivals = arrivals_of(need(plan(fixed)));
      }
      const auto o = serve(s, *engine, {adapters, arrivals, {.seconds = left, .at_first_tokens = true}});
      const double median = tell_first_tokens(s, r, o, t.adapters);
      r.size("slots", slots).size("rate", rate);
      if (slots == t.adapters) {
        cached = median;
        return;
      }
      if (cached > 0) r.figure("over_cached", share_of(median, cached)).at_most("over_cached", 2);
    });
}

void chat_traffic(session& s) {
  const auto& t = s.sizes().chat;
  const adapter_kind kind{{projection::q, projection::v}, {s.sizes().rank}};
  const auto rates = s.rates();
  const auto adapters = population(s, kind, {.count = t.adapters});
  auto engine = make_for(s, t, adapters, t.slots);
  s.add("G-10", "chats", [&](row& r) {
    const auto requests = crowd(t);
    const auto o = serve(s, *engine, {adapters, requests, {.seconds = s.seconds_left()}});
    tell_traffic(s, r, o, t.adapters);
    const auto at_once = sequences_at_once(*engine, t);
    const double ceiling = 1 / request_floor(s.model(), t.prompt, t.output, at_once, rates);
    r.size("sequences_at_once", at_once).figure("ceiling_requests_per_second", ceiling);
    r.figure("floor_share", share_of(requests_per_second(o), ceiling));
    if (s.is_usual()) r.at_least("floor_share", 0.7);
    double bytes = 0;
    for (auto& a : adapters)
      bytes += static_cast<double>(a->bytes());
    const double base = static_cast<double>(engine->limits().weight_bytes);
    r.figure("memory_over_base_percent", 100 * bytes / base);
    if (s.is_usual()) r.at_most("memory_over_base_percent", 3);
  });
}

}  // namespace lorica::bench
