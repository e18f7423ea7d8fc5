// How well the planner's prices foretell the real CPU executor's steps: a model, some random adapters,
// traffic of prompts and replies through the planner; each step's time is predicted before it is told. Run:
// build/release/bin/lorica-bench-step-price --model FILE

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <string>

#include "bench/machine_load.hpp"
#include "bench/must.hpp"
#include "bench/traffic.hpp"
#include "bench/virtual_server.hpp"
#include "bench/workload.hpp"
#include "cpu/executor.hpp"
#include "cpu/mode.hpp"
#include "engine/planner.hpp"
#include "model/weights.hpp"

namespace {

using namespace lorica;
using namespace lorica::bench;
using steady = std::chrono::steady_clock;

constexpr std::uint32_t adapter_count = 8;
constexpr std::uint32_t prompts = 160;
constexpr std::size_t at_once = 12;

planner_options options_of(const executor_limits& l) {
  planner_options o;
  o.block_tokens = l.block_tokens;
  o.blocks = l.blocks;
  o.max_sequences = l.max_sequences;
  o.max_rows = l.max_rows;
  o.max_positions = l.max_positions;
  o.inter_token_target = 0.05;
  o.sizes.weight_bytes = l.weight_bytes;
  o.sizes.kv_bytes_per_token = l.kv_bytes / (std::uint64_t{l.blocks} * l.block_tokens);
  return o;
}

sequence sequence_of(sequence_id id, const request_arrival& r, std::uint32_t vocabulary,
                     const std::vector<std::shared_ptr<const packed_adapter>>& adapters) {
  sequence s;
  s.id = id;
  for (std::uint32_t i = 0; i < r.prompt; ++i)
    s.prompt.push_back(static_cast<token_id>((id * 7919 + i * 104'729) % vocabulary));
  s.max_new_tokens = r.output;
  s.ignore_eos = true;
  // Every fifth asks for the base.
  if (id % 5 != 0) s.composition.push_back({adapters[r.adapter - 1]->version(), 1.0f});
  return s;
}

void print(const char* name, std::vector<double> off) {
  if (off.empty()) return;
  std::printf("%-32s %5zu steps, off by p50 %.1f %%, p90 %.1f %%, p99 %.1f %%\n", name, off.size(),
              100 * quantile(off, 0.5), 100 * quantile(off, 0.9), 100 * quantile(off, 0.99));
}

void run(const std::string& model, unsigned threads) {
  auto weights = must(open_model(model));
  cpu_options how;
  how.mode = mode_like(*weights);
  how.threads = threads;
  how.blocks = 1024;
  how.max_rows = 256;
  how.max_sequences = 32;
  how.max_positions = 512;
  auto engine = must(make_cpu_executor(weights, how));
  auto& config = weights->config();
  std::vector<std::shared_ptr<const packed_adapter>> adapters;
  for (std::uint32_t i = 0; i < adapter_count; ++i) {
    adapters.push_back(must(engine->packer().pack(random_adapter(config, 16, i + 1), {})));
    must(engine->attach(adapters.back()));
  }
  const auto traffic = arrivals_of(must(plan(s_lora_traffic{.adapters = adapter_count,
                                                            .alpha = 0.6,
                                                            .rate = prompts,
                                                            .duration = 1,
                                                            .input = {8, 300},
                                                            .output = {8, 60}})));
  planner policy(options_of(engine->limits()));
  machine_load load;
  std::vector<double> early, decode, mixed, prefill;
  std::vector<double> seconds;
  std::size_t submitted = 0, ended = 0, steps = 0;
  while (ended < traffic.size()) {
    while (submitted < traffic.size() && submitted - ended < at_once) {
      must(policy.submit(sequence_of(submitted + 1, traffic[submitted], config.vocab, adapters)));
      ++submitted;
    }
    auto planned = policy.next_step();
    for (auto& version : policy.lease_wanted())
      for (auto& a : adapters)
        if (a->version() == version) static_cast<void>(policy.lease_granted(version, a));
    if (!planned) continue;
    auto work = load_of(*planned->work);
    auto predicted = policy.cost().predict(work);
    auto began = steady::now();
    auto out = must(engine->execute(*planned->work));
    out.seconds = std::chrono::duration<double>(steady::now() - began).count();
    auto off = std::abs(predicted - out.seconds) / out.seconds;
    auto& kind = work.rows == work.sequences ? decode : work.head_rows < work.sequences ? mixed : prefill;
    (++steps <= 50 ? early : kind).push_back(off);
    if (work.rows > work.sequences) seconds.push_back(out.seconds);
    ended += policy.complete(out).ended.size();
  }
  print("first 50 steps", early);
  print("decode rows only", decode);
  print("with a chunk of a prompt", mixed);
  print("with the end of a prompt", prefill);
  std::printf("steps with prompt rows: p50 %.1f ms, p99 %.1f ms (target 50 ms)\n",
              1e3 * quantile(seconds, 0.5), 1e3 * quantile(seconds, 0.99));
  auto& p = policy.cost().price();
  std::printf(
      "prices: step %.3f ms, row %.1f us, beyond 16 %.1f us more, attended token %.3f us, adapter bytes "
      "%.1f GB/s, adapter row %.1f us, head row %.1f us; foreign load %.0f %%\n",
      1e3 * p[0], 1e6 * p[1], 1e6 * p[2], 1e6 * p[3], p[4] > 0 ? 1e-9 / p[4] : 0.0, 1e6 * p[5], 1e6 * p[6],
      100 * load.foreign());
}

}  // namespace

int main(int argc, char** argv) {
  std::string model = "models/SmolLM2-135M-Instruct.Q4_1.gguf";
  unsigned threads = 2;
  CLI::App app("How well the planner's prices foretell the CPU executor's steps");
  app.add_option("--model", model)->capture_default_str();
  app.add_option("--threads", threads)->check(CLI::Range(1, 256))->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  try {
    run(model, threads);
    return EXIT_SUCCESS;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "lorica-bench-step-price: %s\n", e.what());
    return EXIT_FAILURE;
  }
}
