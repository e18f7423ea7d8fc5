// How fast the CPU executor computes: streams at once, base and adapters, prefill. Adapters are random, on
// every projection. Runs of all workloads are interleaved; the best and the median are told, with the share
// of the machine that others used. A table goes to standard error, one line of JSON to standard output. Run:
// build/release/bin/lorica-bench-decode --model models/SmolLM2-135M-Instruct.Q4_1.gguf

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>

#include "bench/mode_flags.hpp"
#include "bench/must.hpp"
#include "bench/slope.hpp"
#include "bench/workload_suites.hpp"
#include "core/json.hpp"
#include "cpu/executor.hpp"

namespace {

using namespace lorica;
using namespace lorica::bench;

struct settings {
  std::string model = "models/SmolLM2-135M-Instruct.Q4_1.gguf";
  mode_flags how;
  std::uint32_t rank = 16;
  std::uint32_t runs = 5;
  std::string suite = "usual";
  std::vector<std::string> only;
  double limit_minutes = 60;
  bool profile = false;
  bool turns = false;
  bool list = false;
};

void add_flags(CLI::App& app, settings& s) {
  app.add_option("--model", s.model)->capture_default_str();
  add_dtype_flags(app, s.how);
  add_machine_flags(app, s.how);
  app.add_option("--rank", s.rank, "of the adapters where the workload does not say it")
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
  app.add_option("--runs", s.runs)->check(CLI::Range(1, 1'000'000))->capture_default_str();
  app.add_option("--suite", s.suite, "which workloads")
      ->check(CLI::IsMember(suite_names()))
      ->capture_default_str();
  app.add_option("--only", s.only, "of them, those whose name matches, as 'decode 8*'; may be given again")
      ->expected(1)
      ->take_all();
  app.add_option("--limit-minutes", s.limit_minutes, "after them no further run begins")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--profile", s.profile, "yes: where the time of steps goes");
  app.add_flag("--turns", s.turns,
               "also steps of adapters and of the base in turns, which tells best what adapters cost");
  app.add_flag("--list", s.list, "tell the names of the workloads and end");
}

/// Adapters for every list of ranks that a workload asks for, as many as the one with most streams uses.
class adapter_pools {
 public:
  using pool = std::vector<std::shared_ptr<const packed_adapter>>;

  adapter_pools(const std::vector<workload>& all, const model_config& config, executor& engine) {
    for (auto& w : all) {
      auto& mine = pools_[w.ranks];
      while (mine.size() < w.adapters) {
        const auto number = static_cast<std::uint32_t>(mine.size());
        const auto rank = w.ranks[number % w.ranks.size()];
        mine.push_back(must(engine.packer().pack(random_adapter(config, rank, number), {})));
        must(engine.attach(mine.back()));
      }
    }
  }

  const pool& of(const workload& w) const { return pools_.at(w.ranks); }

 private:
  std::map<std::vector<std::uint32_t>, pool> pools_;
};

struct measured {
  double best = 0;                       ///< tokens per second of the fastest run
  double median = 0;                     ///< of all runs
  double best_step = 0;                  ///< seconds
  double median_step = 0;                ///< the median of the runs' medians
  double longest_step = 0;               ///< of all runs
  double cpu_step = 0;                   ///< processor seconds per step, the least of all runs
  double foreign = 0;                    ///< of the fastest run
  double bytes = 0;                      ///< of adapters in a step
  double floor_seconds = 0;              ///< what a step reads over the bandwidth of memory
  std::optional<double> over_base = {};  ///< a step over the base's, taken in turns
};

measured summarise(const workload& w, std::vector<run_time> runs) {
  auto rate = [](const run_time& r) { return r.tokens / r.seconds; };
  measured out;
  std::ranges::sort(runs, {}, &run_time::median_step_seconds);
  out.median_step = runs[runs.size() / 2].median_step_seconds;
  std::ranges::sort(runs, std::greater{}, rate);
  out.best = rate(runs.front());
  out.median = rate(runs[runs.size() / 2]);
  out.foreign = runs.front().foreign;
  out.best_step = std::ranges::min(runs, {}, &run_time::best_step_seconds).best_step_seconds;
  out.longest_step = std::ranges::max(runs, {}, &run_time::longest_step_seconds).longest_step_seconds;
  out.cpu_step = std::ranges::min(runs, {}, &run_time::cpu_seconds).cpu_seconds / std::max(1u, w.decode);
  return out;
}

void write_result(json_writer& json, const workload& w, const measured& m) {
  json.begin_object().key("name").string(w.name).key("tokens_per_second_best").number(m.best);
  json.key("tokens_per_second_median").number(m.median).key("best_step_ms").number(m.best_step * 1e3);
  json.key("median_step_ms").number(m.median_step * 1e3);
  json.key("longest_step_ms").number(m.longest_step * 1e3);
  json.key("cpu_ms_per_step").number(m.cpu_step * 1e3);
  json.key("streams").unsigned_integer(w.streams).key("adapters").unsigned_integer(w.adapters);
  if (w.adapters != 0) json.key("adapter_bytes").number(m.bytes);
  if (w.decode != 0) json.key("memory_floor_ms").number(m.floor_seconds * 1e3);
  json.key("foreign_load").number(m.foreign);
}

void write_row(const workload& w, const measured& m) {
  std::fprintf(stderr, "%-36s %9.1f %9.1f %9.2f ms %7.2f ms", w.name.c_str(), m.best, m.median,
               m.best_step * 1e3, m.cpu_step * 1e3);
  if (w.decode != 0)
    std::fprintf(stderr, " %7.2f ms %4.0f %%", m.floor_seconds * 1e3, 100 * m.floor_seconds / m.best_step);
  std::fprintf(stderr, "%*s%5.1f %%", w.decode != 0 ? 2 : 20, "", 100 * m.foreign);
}

/// The results, each with what it keeps of the base's where that was measured too.
void write_results(json_writer& json, const std::vector<workload>& all, const std::vector<measured>& found) {
  std::fprintf(stderr, "%-36s %9s %9s %12s %10s %10s %6s %7s\n", "", "best", "median", "best step",
               "cpu/step", "floor", "", "foreign");
  json.key("results").begin_array();
  for (std::size_t i = 0; i < all.size(); ++i) {
    write_result(json, all[i], found[i]);
    write_row(all[i], found[i]);
    if (found[i].over_base) {
      json.key("step_over_base").number(*found[i].over_base);
      std::fprintf(stderr, "  steps in turns %.3fx", *found[i].over_base);
    }
    if (auto base = base_of(all[i], all)) {
      const double kept = found[i].median / found[static_cast<std::size_t>(base - all.data())].median;
      json.key("beside").string(base->name).key("kept").number(kept);
      std::fprintf(stderr, "  keeps %.0f %%", 100 * kept);
    }
    json.end_object();
    std::fprintf(stderr, "\n");
  }
  json.end_array();
}

/// What a byte of adapters costs where only their bytes differ, beside what it takes to be read.
void write_slope(json_writer& json, const std::vector<workload>& all, const std::vector<measured>& found,
                 double bandwidth) {
  std::vector<std::pair<double, double>> points;
  for (std::size_t i = 0; i < all.size(); ++i)
    if (all[i].ranks.size() > 1 && all[i].adapters != 0)
      points.emplace_back(found[i].bytes, found[i].best_step);
  const auto slope = slope_of(points);
  if (!slope) return;
  json.key("adapter_slope").begin_object().key("seconds_per_byte").number(*slope);
  json.key("memory_seconds_per_byte").number(1 / bandwidth).key("ratio").number(*slope * bandwidth);
  json.end_object();
  std::fprintf(stderr, "a byte of adapters: %.4f ns, read from memory %.4f ns, %.2fx\n", *slope * 1e9,
               1e9 / bandwidth, *slope * bandwidth);
}

/// Microseconds of a step by what they went to, of the last run.
void tell(step_profile& profile, unsigned members, std::uint32_t steps) {
  for (std::size_t p = 0; p < step_phases; ++p) {
    const auto phase = static_cast<step_phase>(p);
    std::fprintf(stderr, "%-18s", std::string(to_string(phase)).c_str());
    for (unsigned m = 0; m < members; ++m) {
      const auto& t = profile.of(m, phase);
      std::fprintf(stderr, "  %8.1f us + %7.1f waiting", t.work / steps * 1e6, t.wait / steps * 1e6);
    }
    std::fprintf(stderr, "\n");
  }
}

constexpr std::uint32_t most_streams = 32;

cpu_options options_of(const settings& s) {
  cpu_options o;
  s.how.apply(o);
  o.blocks = most_streams * 12 + 32;
  o.max_sequences = most_streams;
  o.max_rows = 512;
  o.max_positions = 512;
  return o;
}

std::vector<workload> chosen(const settings& s) {
  auto out = matching(workloads(s.suite, s.rank), s.only);
  if (out.empty())
    throw std::runtime_error("--only: no workload of --suite " + s.suite + " matches; --list tells them");
  return out;
}

std::vector<std::vector<run_time>> run_all(const settings& s, const std::vector<workload>& all,
                                           const adapter_pools& adapters, const model_config& config,
                                           executor& engine, step_profile* profile) {
  const auto deadline =
      std::chrono::steady_clock::now() + std::chrono::duration<double>(60 * s.limit_minutes);
  std::vector<std::vector<run_time>> out(all.size());
  for (std::uint32_t r = 0; r < s.runs; ++r)
    for (std::size_t i = 0; i < all.size(); ++i)
      if (r == 0 || std::chrono::steady_clock::now() < deadline)
        out[i].push_back(run(engine, config, all[i], adapters.of(all[i]), profile));
  return out;
}

/// Steps over those of the base in turns; nothing where the executor has no room for both at once. `runs`
/// such turns, the median counts.
std::optional<double> over_base(const settings& s, const workload& w, const adapter_pools& adapters,
                                const model_config& config, executor& engine) {
  if (!s.turns || w.adapters == 0 || w.decode == 0 || 2 * w.streams > most_streams) return std::nullopt;
  std::vector<double> out;
  for (std::uint32_t r = 0; r < s.runs; ++r)
    out.push_back(run_in_turns(engine, config, w, adapters.of(w)).over_base);
  std::ranges::sort(out);
  return out[out.size() / 2];
}

void bench_all(const settings& s) {
  const auto all = chosen(s);
  if (s.list) {
    for (auto& w : all)
      std::printf("%s\n", w.name.c_str());
    return;
  }
  auto weights = must(open_model(s.model));
  auto& config = weights->config();
  auto o = options_of(s);
  const auto threads = s.how.members();
  step_profile profile(threads);
  if (s.profile) o.profile = &profile;
  auto start = std::chrono::steady_clock::now();
  auto engine = must(make_cpu_executor(weights, o));
  const double load = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const adapter_pools adapters(all, config, *engine);
  const auto runs = run_all(s, all, adapters, config, *engine, o.profile);

  const double bandwidth = memory_bandwidth(threads);
  std::vector<measured> found;
  for (std::size_t i = 0; i < all.size(); ++i) {
    found.push_back(summarise(all[i], runs[i]));
    found.back().over_base = over_base(s, all[i], adapters, config, *engine);
    found.back().bytes = adapter_bytes(all[i], adapters.of(all[i]));
    found.back().floor_seconds = bytes_per_step(*engine, all[i], adapters.of(all[i])) / bandwidth;
  }
  std::fprintf(stderr, "%s, %s, adapters on all projections; packed in %.2f s; memory reads %.1f GB/s\n",
               config.name.c_str(), engine->description().c_str(), load, bandwidth / 1e9);
  json_writer json;
  json.begin_object().key("model").string(config.name).key("executor").string(engine->description());
  json.key("adapter_rank").unsigned_integer(s.rank).key("runs").unsigned_integer(s.runs);
  json.key("pack_seconds").number(load).key("memory_bytes_per_second").number(bandwidth);
  write_results(json, all, found);
  write_slope(json, all, found, bandwidth);
  if (s.profile) tell(profile, threads, std::max(1u, all.back().decode));
  std::printf("%s\n", json.end_object().take().c_str());
}

}  // namespace

int main(int argc, char** argv) {
  settings s;
  CLI::App app("How fast the CPU executor computes");
  add_flags(app, s);
  CLI11_PARSE(app, argc, argv);
  try {
    bench_all(s);
    return EXIT_SUCCESS;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "lorica-bench-decode: %s\n", e.what());
    return EXIT_FAILURE;
  }
}
