// G-1, G-3 and G-4: steps in which every sequence has one row.
#include <algorithm>
#include <string>
#include <vector>

#include "bench/gpu/attached.hpp"
#include "bench/gpu/cases.hpp"
#include "bench/gpu/decode_run.hpp"

namespace lorica::bench {
namespace {

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

}  // namespace

void base_decode(session& s) {
  const auto& rows_of = s.sizes().decode_rows;
  const auto most = *std::ranges::max_element(rows_of);
  measure_rates(s, rows_of);
  auto engine = s.make(decode_need(s, most));
  decode_run run(*engine, s.model(), most, s.sizes().context, s.settings().how);
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

void adapted_decode(session& s) {
  const auto rows = s.sizes().rows;
  measure_rates(s, {});
  const auto most = *std::ranges::max_element(s.sizes().adapters);
  for (auto rank : s.sizes().ranks)
    s.guard("G-3", [&] {
      const auto adapters = random_adapters(s.weights(), {all_projections(), {rank}}, most);
      auto need_of = decode_need(s, rows);
      need_of.adapter_bytes = room_for(adapters);
      need_of.adapters = most;
      auto engine = s.make(need_of);
      attached here(*engine, adapters);
      decode_run run(*engine, s.model(), rows, s.sizes().context, s.settings().how);
      for (auto count : s.sizes().adapters)
        s.add("G-3", name_of(rank, count), [&](row& r) {
          const auto [base, with] =
              run.measure_beside_base(rows, {adapters.begin(), adapters.begin() + count});
          const double bytes = count * adapter_bytes(s.model(), all_projections(), rank);
          tell_decode(s, r, rows, bytes, with);
          r.size("rank", rank).size("adapters", count).figure("base_ms", 1e3 * base.median);
          r.figure("over_base_percent", percent_over(base.median, with.median));
          const double floor = decode_floor(s.model(), rows, s.sizes().context, 0, s.rates());
          r.figure("floor_over_base_percent", percent_over(floor, floor + bytes / s.copies().device));
          if (rank != 16) return;
          r.at_most("over_base_percent", count <= 1 ? 5 : count <= 8 ? 10 : 25);
        });
    });
}

/// One executor without room for adapters, then one with adapters that no row uses.
void unused_adapters(session& s) {
  const auto rows = s.sizes().rows;
  measure_rates(s, {});
  s.add("G-4", "no adapter in the batch", [&](row& r) {
    const auto measure = [&](const adapter_list& adapters) {
      auto need_of = decode_need(s, rows);
      need_of.adapters = static_cast<std::uint32_t>(adapters.size());
      if (!adapters.empty()) need_of.adapter_bytes = room_for(adapters);
      auto engine = s.make(need_of);
      attached here(*engine, adapters);
      return decode_run(*engine, s.model(), rows, s.sizes().context, s.settings().how).measure(rows);
    };
    const auto disabled = measure({});
    const auto count = *std::ranges::max_element(s.sizes().adapters);
    const auto enabled = measure(random_adapters(s.weights(), {all_projections(), {s.sizes().rank}}, count));
    tell_decode(s, r, rows, 0, enabled);
    r.size("adapters", 0).size("attached", count).figure("base_ms", 1e3 * disabled.median);
    r.figure("over_base_percent", percent_over(disabled.median, enabled.median));
    r.at_most("over_base_percent", 0.5);
  });
}

}  // namespace lorica::bench
