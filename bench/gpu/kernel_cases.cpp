// G-6: shrink, expand and both, over rows, sites, ranks and numbers of adapters.
#include <string>

#include "bench/gpu/cases.hpp"
#include "bench/gpu/failure.hpp"
#include "bench/gpu/kernel_bench.hpp"

namespace lorica::bench {
namespace {

constexpr std::uint32_t most_checked_rows = 32;
constexpr double rounding = 0.03;  // results of 8 bits

std::vector<kernel_point> kernel_points(const session& s) {
  std::vector<kernel_point> out;
  for (auto rank : s.sizes().kernel_ranks)
    for (auto& site : kernel_sites(s.model()))
      for (auto rows : s.sizes().kernel_rows)
        for (auto adapters : s.sizes().kernel_adapters)
          if (adapters <= rows) out.push_back({site, rows, rank, adapters});
  return out;
}

std::string name_of(const kernel_point& p) {
  return std::string(p.site.name) + ", " + std::to_string(p.rows) + " rows, r" + std::to_string(p.rank) +
         ", " + std::to_string(p.adapters) + " adapters";
}

/// What is timed is what it should be, or it is not timed.
void check(kernel_bench& bench, const kernel_point& p) {
  if (p.rows > most_checked_rows) return;
  const double apart = bench.difference(p);
  if (!(apart <= rounding))
    throw failure(fail(errc::internal, "the kernels miss what they should add by " + std::to_string(apart) +
                                           " of the largest number"));
}

void tell_kernels(row& r, const kernel_point& p, const kernel_times& t, const copy_rates& copies) {
  const double shrink_floor = p.shrink_bytes() / copies.device,
               expand_floor = p.expand_bytes() / copies.device;
  r.graphs = true;
  r.time = t.pair;
  r.size("rows", p.rows).size("depth", p.site.depth).size("outputs", p.site.width());
  r.size("rank", p.rank).size("adapters", p.adapters);
  r.figure("shrink_us", 1e6 * t.shrink.median).figure("expand_us", 1e6 * t.expand.median);
  r.figure("pair_us", 1e6 * t.pair.median);
  r.figure("shrink_gb_per_second", p.shrink_bytes() / t.shrink.median / 1e9);
  r.figure("expand_gb_per_second", p.expand_bytes() / t.expand.median / 1e9);
  r.figure("shrink_floor_share", share_of(shrink_floor, t.shrink.median));
  r.figure("expand_floor_share", share_of(expand_floor, t.expand.median));
  r.figure("floor_ms", 1e3 * (shrink_floor + expand_floor));
  r.figure("floor_share", share_of(shrink_floor + expand_floor, t.pair.median));
  r.figure("cublaslt_us", 1e6 * t.products.median);
  r.figure("over_cublaslt_percent", percent_over(t.products.median, t.pair.median));
  r.at_most("over_cublaslt_percent", 5);
  // What must be read and written takes more than half of it where adapters are many and wide.
  if (p.rows > 32 || p.rank != 16) return;
  for (auto [floor, name] : {std::pair{shrink_floor, "shrink_us"}, std::pair{expand_floor, "expand_us"}})
    if (floor < 3e-6) r.at_most(name, 6);
}

}  // namespace

void adapter_kernels(session& s) {
  const auto points = kernel_points(s);
  static_cast<void>(s.copies());
  kernel_bench bench(s.settings().device, points, s.weights()->numbers());
  for (auto& p : points)
    s.add("G-6", name_of(p), [&](row& r) {
      check(bench, p);
      tell_kernels(r, p, bench.measure(p, s.settings().how), s.copies());
    });
}

}  // namespace lorica::bench
