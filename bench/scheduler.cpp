// The planner under traffic as S-LoRA and Punica make it, in virtual time, on a machine with the prices of
// two CPU cores and a small int4 model; in order of arrival and in turns. Prompts are of distinct tokens.
// Run: build/release/bin/lorica-bench-scheduler [--seconds N] [--adapters N] [--seed N]

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <limits>
#include <optional>
#include <string>

#include "bench/traffic.hpp"
#include "bench/virtual_server.hpp"

namespace {

using namespace lorica;
using namespace lorica::bench;

constexpr double forever = std::numeric_limits<double>::infinity();

struct bench_options {
  std::uint32_t seconds = 120;
  std::uint32_t adapters = 32;
  std::uint32_t seed = 42;
};

double cpu_seconds(const step_load& l) {
  return 2e-3 + 0.06e-3 * l.rows + 0.12e-3 * std::max(0.0, l.rows - 16) + 0.1e-6 * l.attended +
         l.adapter_bytes / 40e9 + 0.02e-3 * l.adapter_rows + 0.05e-3 * l.head_rows;
}

planner_options options_of(schedule_policy policy) {
  planner_options o;
  o.block_tokens = 16;
  o.blocks = 8192;
  o.max_sequences = 32;
  o.max_rows = 512;
  o.max_positions = 4096;
  o.max_prefill_tokens = 256;
  o.max_waiting = 1'000'000;
  o.policy = policy;
  o.inter_token_target = policy == schedule_policy::fair ? 0.05 : 0;
  o.sizes = {84'000'000, 23'040};
  return o;
}

void report(const char* name, schedule_policy policy, const std::vector<request_arrival>& traffic) {
  virtual_machine machine{.step_seconds = cpu_seconds, .adapter_seconds = 0.015};
  virtual_server server(options_of(policy), machine);
  auto began = std::chrono::steady_clock::now();
  server.serve(traffic, forever);
  auto real = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  std::vector<double> first, gaps;
  std::uint64_t tokens = 0;
  for (auto& r : server.requests()) {
    first.push_back(r.first - r.asked.at);
    gaps.push_back(r.longest);
    tokens += r.tokens;
  }
  auto s = server.plan().stats();
  std::printf(
      "%-26s %-4s %7.1f tok/s  first token p50 %8.3f p99 %8.3f s  longest gap p50 %6.3f p99 %6.3f s  "
      "Jain %.3f  widest gap of counters %6.3f s  %llu yields  %.2f million decisions/s\n",
      name, policy == schedule_policy::fair ? "fair" : "fcfs", static_cast<double>(tokens) / server.now(),
      quantile(first, 0.5), quantile(first, 0.99), quantile(gaps, 0.5), quantile(gaps, 0.99),
      jain_index(server.service()), server.widest_gap(), static_cast<unsigned long long>(s.yields),
      static_cast<double>(server.decisions()) / real / 1e6);
}

void both(const std::string& name, const result<std::vector<planned_request>>& planned) {
  if (!planned) {
    std::fprintf(stderr, "%s\n", planned.error().text.c_str());
    return;
  }
  const auto traffic = arrivals_of(*planned);
  report(name.c_str(), schedule_policy::fcfs, traffic);
  report(name.c_str(), schedule_policy::fair, traffic);
}

void slora(const bench_options& o) {
  for (double rate : {4.0, 7.0, 9.0})
    for (double alpha : {0.1, 0.3, 1.0})
      for (double cv : {1.0, 4.0}) {
        char name[64];
        std::snprintf(name, sizeof name, "S-LoRA R=%g a=%g cv=%g", rate, alpha, cv);
        both(name, plan(s_lora_traffic{.adapters = o.adapters,
                                       .alpha = alpha,
                                       .rate = rate,
                                       .cv = cv,
                                       .duration = static_cast<double>(o.seconds),
                                       .input = {8, 256},
                                       .output = {8, 128},
                                       .seed = o.seed}));
      }
}

void punica(const bench_options& o) {
  constexpr const char* names[] = {"Punica distinct", "Punica uniform", "Punica skewed", "Punica identical"};
  for (auto pattern :
       {punica_pattern::distinct, punica_pattern::uniform, punica_pattern::skewed, punica_pattern::identical})
    both(names[static_cast<int>(pattern)],
         plan(punica_traffic{.pattern = pattern, .most = 512, .seed = o.seed}));
}

/// The flags; nothing when one is wrong.
std::optional<bench_options> read(int count, char** words) {
  bench_options out;
  for (int i = 1; i < count; i += 2) {
    std::uint32_t* place = nullptr;
    if (std::strcmp(words[i], "--seconds") == 0) place = &out.seconds;
    if (std::strcmp(words[i], "--adapters") == 0) place = &out.adapters;
    if (std::strcmp(words[i], "--seed") == 0) place = &out.seed;
    if (!place || i + 1 == count) return std::nullopt;
    auto text = std::string_view(words[i + 1]);
    auto [end, bad] = std::from_chars(text.data(), text.data() + text.size(), *place);
    if (bad != std::errc() || end != text.data() + text.size()) return std::nullopt;
  }
  return out;
}

}  // namespace

int main(int count, char** words) {
  auto options = read(count, words);
  if (!options) {
    std::fprintf(stderr, "flags: --seconds N, --adapters N, --seed N, whole numbers\n");
    return 2;
  }
  slora(*options);
  punica(*options);
}
