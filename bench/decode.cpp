// How fast the CPU executor computes: one stream and eight, base and adapters, prefill. Adapters are random,
// rank 16 on every projection. Runs of all workloads are interleaved; the best and the median are told, with
// the share of the machine that others used. A table goes to standard error, one line of JSON to standard
// output. Run: build/release/bin/lorica-bench-decode --model models/SmolLM2-135M-Instruct.Q4_1.gguf

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>

#include "bench/workload.hpp"
#include "core/json.hpp"
#include "cpu/executor.hpp"
#include "cpu/mode.hpp"

namespace {

using namespace lorica;
using namespace lorica::bench;

struct settings {
  std::string model = "models/SmolLM2-135M-Instruct.Q4_1.gguf";
  cpu_mode mode{cpu_dtype::bfloat16, true};
  bool int8_adapters = true;  ///< where the mode is int8
  std::optional<isa> instructions;
  std::uint32_t threads = 0;
  std::uint32_t rank = 16;
  std::uint32_t runs = 5;
  std::string only;      ///< the one workload that is measured; empty: all
  bool profile = false;  ///< tell where the time of steps goes
};

std::uint32_t number(const std::string& text) {
  return static_cast<std::uint32_t>(std::stoul(text));
}

constexpr const char* usage =
    "lorica-bench-decode [--model FILE] [--dtype int8|bfloat16|float32]\n"
    "                    [--adapter-dtype int8|bfloat16] [--isa "
    "avx512|avx_vnni|avx2|portable]\n"
    "                    [--threads N] [--rank N] [--runs N] [--only WORKLOAD] [--profile yes]\n";

settings read_settings(int argc, char** argv) {
  settings out;
  if (argc > 1 && std::string(argv[1]) == "--help") {
    std::printf("%s", usage);
    std::exit(0);
  }
  for (int i = 1; i < argc; i += 2) {
    const std::string name = argv[i];
    if (i + 1 == argc) throw std::runtime_error(name + ": needs a value");
    const std::string text = argv[i + 1];
    if (name == "--model")
      out.model = text;
    else if (name == "--dtype")
      out.mode = {text == "float32" ? cpu_dtype::float32 : cpu_dtype::bfloat16, text == "int8"};
    else if (name == "--adapter-dtype")
      out.int8_adapters = text == "int8";
    else if (name == "--isa")
      out.instructions = text == "avx512"     ? isa::avx512
                         : text == "avx_vnni" ? isa::avx_vnni
                         : text == "avx2"     ? isa::avx2
                                              : isa::portable;
    else if (name == "--threads")
      out.threads = number(text);
    else if (name == "--rank")
      out.rank = number(text);
    else if (name == "--runs")
      out.runs = std::max(1u, number(text));
    else if (name == "--only")
      out.only = text;
    else if (name == "--profile")
      out.profile = text == "yes";
    else
      throw std::runtime_error(
          name +
          ": not one of --model --dtype --adapter-dtype --isa --threads --rank --runs --only --profile");
  }
  out.mode = {out.mode.dtype, out.mode.int8, out.int8_adapters};
  return out;
}

std::vector<workload> workloads() {
  return {{"decode 1", 1, 0, 64, 128},
          {"decode 1, 1 adapter", 1, 1, 64, 128},
          {"decode 4", 4, 0, 64, 128},
          {"decode 8", 8, 0, 64, 128},
          {"decode 8, 1 adapter", 8, 1, 64, 128},
          {"decode 8, 8 adapters", 8, 8, 64, 128},
          {"decode 16", 16, 0, 64, 128},
          {"decode 16, 16 adapters", 16, 16, 64, 128},
          {"decode 32", 32, 0, 64, 128},
          {"decode 32, 8 adapters", 32, 8, 64, 128},
          {"decode 32, 32 adapters", 32, 32, 64, 128},
          {"prefill 512", 1, 0, 512, 0},
          {"prefill 512, 1 adapter", 1, 1, 512, 0}};
}

template <class T>
T must(result<T> r) {
  if (!r) throw std::runtime_error(r.error().text);
  return *std::move(r);
}

struct measured {
  double best = 0;       ///< tokens per second of the fastest run
  double median = 0;     ///< of all runs
  double best_step = 0;  ///< seconds
  double cpu_step = 0;   ///< processor seconds per step, the least of all runs
  double foreign = 0;    ///< of the fastest run
};

measured summarise(const workload& w, std::vector<run_time> runs) {
  auto rate = [](const run_time& r) { return r.tokens / r.seconds; };
  std::ranges::sort(runs, std::greater{}, rate);
  measured out;
  out.best = rate(runs.front());
  out.median = rate(runs[runs.size() / 2]);
  out.foreign = runs.front().foreign;
  out.best_step = std::ranges::min(runs, {}, &run_time::best_step_seconds).best_step_seconds;
  out.cpu_step = std::ranges::min(runs, {}, &run_time::cpu_seconds).cpu_seconds / std::max(1u, w.decode);
  return out;
}

void write_result(json_writer& json, const workload& w, const measured& m, double floor_seconds) {
  json.begin_object().key("name").string(w.name).key("tokens_per_second_best").number(m.best);
  json.key("tokens_per_second_median").number(m.median).key("best_step_ms").number(m.best_step * 1e3);
  json.key("cpu_ms_per_step").number(m.cpu_step * 1e3);
  if (w.decode != 0) json.key("memory_floor_ms").number(floor_seconds * 1e3);
  json.key("foreign_load").number(m.foreign).end_object();
  std::fprintf(stderr, "%-24s %9.1f %9.1f %9.2f ms %7.2f ms", w.name.c_str(), m.best, m.median,
               m.best_step * 1e3, m.cpu_step * 1e3);
  if (w.decode != 0)
    std::fprintf(stderr, " %7.2f ms %4.0f %%", floor_seconds * 1e3, 100 * floor_seconds / m.best_step);
  std::fprintf(stderr, "%*s%5.1f %%\n", w.decode != 0 ? 2 : 20, "", 100 * m.foreign);
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

void bench_all(const settings& s) {
  auto weights = must(open_model(s.model));
  auto& config = weights->config();
  cpu_options o;
  o.dtype = s.mode.dtype;
  o.int8 = s.mode.int8;
  o.int8_adapters = s.mode.int8_adapters;
  o.threads = s.threads;
  o.instructions = s.instructions;
  const auto threads = s.threads != 0 ? s.threads : std::max(1u, std::thread::hardware_concurrency());
  step_profile profile(threads);
  if (s.profile) o.profile = &profile;
  o.blocks = most_streams * 12 + 32;
  o.max_sequences = most_streams;
  o.max_rows = 512;
  o.max_positions = 512;
  auto start = std::chrono::steady_clock::now();
  auto engine = must(make_cpu_executor(weights, o));
  const double load = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  std::vector<std::shared_ptr<const packed_adapter>> adapters;
  for (std::uint32_t i = 0; i < most_streams; ++i) {
    adapters.push_back(must(engine->packer().pack(random_adapter(config, s.rank, i), {})));
    if (auto ok = engine->attach(adapters.back()); !ok) throw std::runtime_error(ok.error().text);
  }
  auto all = workloads();
  std::erase_if(all, [&](auto& w) { return !s.only.empty() && w.name != s.only; });
  if (all.empty()) throw std::runtime_error("--only: there is no workload \"" + s.only + '"');
  std::vector<std::vector<run_time>> runs(all.size());
  for (std::uint32_t r = 0; r < s.runs; ++r)
    for (std::size_t i = 0; i < all.size(); ++i)
      runs[i].push_back(run(*engine, config, all[i], adapters, o.profile));

  const double bandwidth = memory_bandwidth(threads);
  std::fprintf(stderr, "%s, %s, adapters r%u on all projections; packed in %.2f s; memory reads %.1f GB/s\n",
               config.name.c_str(), engine->description().c_str(), s.rank, load, bandwidth / 1e9);
  std::fprintf(stderr, "%-24s %9s %9s %12s %10s %6s %7s\n", "", "best", "median", "best step", "floor", "",
               "foreign");
  json_writer json;
  json.begin_object().key("model").string(config.name).key("executor").string(engine->description());
  json.key("adapter_rank").unsigned_integer(s.rank).key("runs").unsigned_integer(s.runs);
  json.key("pack_seconds").number(load).key("memory_bytes_per_second").number(bandwidth);
  json.key("results").begin_array();
  for (std::size_t i = 0; i < all.size(); ++i)
    write_result(json, all[i], summarise(all[i], runs[i]),
                 bytes_per_step(*engine, all[i], adapters) / bandwidth);
  json.end_array().end_object();
  if (s.profile) tell(profile, threads, std::max(1u, all.back().decode));
  std::printf("%s\n", json.take().c_str());
}

}  // namespace

int main(int argc, char** argv) {
  try {
    bench_all(read_settings(argc, argv));
    return EXIT_SUCCESS;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return EXIT_FAILURE;
  }
}
