// G-1, G-3 and G-4: steps in which every sequence has one row.
#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "bench/gpu/attached.hpp"
#include "bench/gpu/cases.hpp"
#include "bench/gpu/decode_run.hpp"
#include "bench/gpu/failure.hpp"

namespace lorica::bench {
namespace {

constexpr std::uint32_t small_difference_runs = 4;  // times as many where half a percent is asked for

executor_need decode_need(const session& s, std::uint32_t sequences) {
  executor_need out;
  out.sequences = sequences;
  out.tokens = decode_run::tokens_needed(s.sizes().context, s.settings().how);
  out.rows = std::max(sequences, s.sizes().context);
  return out;
}

/// Before an executor takes most of the memory.
void measure_rates(session& s, const std::vector<std::uint32_t>& decoded) {
  static_cast<void>(s.rates());
  for (auto rows : decoded)
    static_cast<void>(s.products(rows, rows));
}

/// What a row tells of a step that decodes, besides its time.
void tell_decode(session& s, row& r, std::uint32_t rows, double adapters, const times& t) {
  const auto context = s.sizes().context;
  const double floor = decode_floor(s.model(), rows, context, adapters, s.rates());
  r.graphs = s.settings().graphs;
  r.time = t;
  r.size("rows", rows).size("context", context);
  r.figure("floor_ms", 1e3 * floor).figure("floor_share", share_of(floor, t.median));
  r.figure("tokens_per_second", rows / t.median);
}

std::string name_of(std::uint32_t rank, std::uint32_t adapters) {
  std::string out("r");
  return out.append(std::to_string(rank)).append(", ").append(std::to_string(adapters)).append(" adapters");
}

/// An executor for as many sequences as the last of `counts` says; counts that there is no room for are told
/// and taken away.
std::unique_ptr<executor> make_for_most(session& s, std::vector<std::uint32_t>& counts) {
  while (true) {
    try {
      return s.make(decode_need(s, counts.back()));
    } catch (const failure& why) {
      if (why.code != errc::out_of_memory || counts.size() == 1) throw;
      s.add("G-1", "decode " + std::to_string(counts.back()), [&](row&) { throw why; });
      counts.pop_back();
    }
  }
}

void tell_adapted(session& s, row& r, std::uint32_t rank, std::uint32_t count, const pair_of_times& t) {
  const auto rows = s.sizes().rows;
  const double bytes = count * adapter_bytes(s.model(), all_projections(), rank);
  tell_decode(s, r, rows, bytes, t.other);
  r.size("rank", rank).size("adapters", count).figure("base_ms", 1e3 * t.base.median);
  r.figure("over_base_percent", percent_over(t.base.median, t.other.median));
  const double floor = decode_floor(s.model(), rows, s.sizes().context, 0, s.rates());
  r.figure("floor_over_base_percent", percent_over(floor, floor + bytes / s.copies().device));
  if (rank == 16 && s.is_usual()) r.at_most("over_base_percent", count <= 1 ? 5 : count <= 8 ? 10 : 25);
}

/// One rank with up to so many adapters.
void measure_adapted(session& s, std::uint32_t rank, const std::vector<std::uint32_t>& counts) {
  const auto adapters = random_adapters(s.weights(), {all_projections(), {rank}}, {.count = counts.back()},
                                        [&s] { s.check_time(); });
  auto need_of = decode_need(s, s.sizes().rows);
  need_of.adapter_bytes = room_for(adapters);
  need_of.adapters = counts.back();
  auto engine = s.make(need_of);
  attached here(*engine, adapters);
  decode_run run(*engine, s.model(), s.sizes().rows, s.sizes().context, s.settings().how);
  for (auto count : counts)
    s.add("G-3", name_of(rank, count), [&](row& r) {
      const auto t = run.measure_beside_base(s.sizes().rows, {adapters.begin(), adapters.begin() + count});
      tell_adapted(s, r, rank, count, t);
    });
}

}  // namespace

void base_decode(session& s) {
  auto rows_of = s.sizes().decode_rows;
  measure_rates(s, rows_of);
  auto engine = make_for_most(s, rows_of);
  decode_run run(*engine, s.model(), rows_of.back(), s.sizes().context, s.settings().how);
  for (auto rows : rows_of)
    s.add("G-1", "decode " + std::to_string(rows), [&](row& r) {
      const auto t = run.measure(rows);
      tell_decode(s, r, rows, 0, t);
      const double products = s.products(rows, rows).decode_step(s.model());
      r.figure("products_ms", 1e3 * products).figure("products_share", share_of(products, t.median));
      if (rows <= 32) r.at_least("floor_share", 0.85);
      if (rows > 64) r.at_least("floor_share", 0.75);
    });
}

/// Where there is no room for the most adapters of a rank, with fewer.
void adapted_decode(session& s) {
  measure_rates(s, {});
  for (auto rank : s.sizes().ranks)
    s.guard("G-3", [&] {
      for (auto counts = s.sizes().adapters;; counts.pop_back()) {
        try {
          return measure_adapted(s, rank, counts);
        } catch (const failure& why) {
          if (why.code != errc::out_of_memory || counts.size() == 1) throw;
          s.add("G-3", name_of(rank, counts.back()), [&](row&) { throw why; });
        }
      }
    });
}

/// One executor without room for adapters and one with adapters that no row uses, in turns; one after the
/// other where the device does not hold both.
void unused_adapters(session& s) {
  const auto rows = s.sizes().rows;
  measure_rates(s, {});
  auto how = s.settings().how;
  how.runs *= small_difference_runs;
  const auto needed = [&](const adapter_list& adapters) {
    executor_need out{.sequences = rows};
    out.tokens = decode_run::tokens_needed(s.sizes().context, how);
    out.rows = std::max(rows, s.sizes().context);
    out.adapters = static_cast<std::uint32_t>(adapters.size());
    if (!adapters.empty()) out.adapter_bytes = room_for(adapters);
    return out;
  };
  s.add("G-4", "no adapter in the batch", [&](row& r) {
    const auto count = *std::ranges::max_element(s.sizes().adapters);
    const auto adapters =
        random_adapters(s.weights(), {all_projections(), {s.sizes().rank}}, {.count = count});
    auto bare = s.make(needed({}));
    decode_run base(*bare, s.model(), rows, s.sizes().context, how);
    std::optional<times> alone;
    std::unique_ptr<executor> engine;
    try {
      engine = s.make(needed(adapters));
    } catch (const failure& why) {
      if (why.code != errc::out_of_memory) throw;
      alone = base.measure(rows);
      bare.reset();
      engine = s.make(needed(adapters));
    }
    attached here(*engine, adapters);
    decode_run run(*engine, s.model(), rows, s.sizes().context, how);
    const auto both = alone ? pair_of_times{*alone, run.measure(rows), 0} : run.measure_beside(base, rows);
    tell_decode(s, r, rows, 0, both.other);
    r.size("adapters", 0).size("attached", count).size("in_turns", alone ? 0 : 1);
    r.figure("base_ms", 1e3 * both.base.median);
    r.figure("over_base_percent", percent_over(both.base.median, both.other.median));
    r.at_most("over_base_percent", 0.5);
  });
}

}  // namespace lorica::bench
