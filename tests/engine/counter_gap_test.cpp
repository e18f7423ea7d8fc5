// How far the counters of clients that wait may be apart, whatever they ask for.
#include <algorithm>
#include <iostream>
#include <limits>
#include <random>

#include "tests/catch.hpp"
#include "tests/engine/virtual_cpu.hpp"

using namespace lorica;
using namespace lorica::bench;
using lorica::testing::cpu_machine;
using lorica::testing::cpu_options;
using lorica::testing::cpu_seconds;
using lorica::testing::teach;

namespace {

/// Clients of all kinds, which come, go quiet and come back: each has its own lengths and pace.
std::vector<request_arrival> any_clients(std::uint64_t seed, double from, double until) {
  std::mt19937_64 random(seed);
  auto between = [&random](std::uint32_t low, std::uint32_t high) {
    return low + static_cast<std::uint32_t>(random() % (high - low + 1));
  };
  std::vector<request_arrival> out;
  auto clients = between(2, 12);
  for (std::uint32_t client = 1; client <= clients; ++client) {
    auto longest_prompt = between(4, 400);
    auto longest_output = between(4, 150);
    auto at_once = between(0, 2) == 0 ? between(20, 120) : between(1, 4);
    auto pause = between(1, 100) * 0.02;
    for (auto at = from + between(0, 100) * 0.03; at < until; at += pause * between(1, 4))
      for (std::uint32_t i = 0; i < at_once && out.size() < 4000; ++i)
        out.push_back({at, 100 + client, between(1, longest_prompt), between(1, longest_output)});
  }
  std::ranges::stable_sort(out, {}, &request_arrival::at);
  return out;
}

/// VTC's bound, twice what a full batch of the longest prompts and answers takes, at the machine's own
/// prices.
double vtc_bound(const planner_options& o, const std::vector<request_arrival>& traffic, double bytes) {
  std::uint32_t prompt = 0;
  std::uint32_t output = 0;
  for (auto& r : traffic) {
    prompt = std::max(prompt, r.prompt);
    output = std::max(output, r.output);
  }
  auto alone = step_load::of_rows(prompt, 0, true, 1);
  step_load full;
  for (std::uint32_t i = 0; i < o.max_sequences; ++i)
    full += step_load::of_rows(1, prompt + output, true, 1);
  alone.adapter_bytes = full.adapter_bytes = bytes;
  return 2 * (o.max_sequences * cpu_seconds(alone) + output * cpu_seconds(full));
}

/// The most adapters that were in one step.
std::uint32_t adapters_at_once(const virtual_server& s) {
  std::uint32_t out = 0;
  for (auto& step : s.steps())
    out = std::max(out, step.adapters);
  return out;
}

}  // namespace

TEST_CASE("counters of clients that wait stay within the bound, whatever the traffic") {
  double widest = 0;
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    INFO("seed " << seed);
    auto o = cpu_options();
    o.max_sequences = 4u << (seed % 5);
    o.starve_after = {};
    virtual_server s(o, cpu_machine());
    teach(s);
    auto traffic = any_clients(seed, s.now(), s.now() + 40);
    double told = 0;
    bool within = true;
    s.watch = [&] {
      auto stats = s.plan().stats();
      told = std::max(told, stats.gap);
      within = within && stats.gap <= stats.gap_bound;
    };
    s.serve(traffic, s.now() + 40);
    auto bound = vtc_bound(o, traffic, adapters_at_once(s) * 9.8e6) + o.cluster_gap;
    CHECK(within);
    CHECK(told <= s.widest_gap());
    CHECK(told <= bound);
    CHECK(s.plan().gap_bound() <= 1.1 * bound);
    widest = std::max(widest, told / bound);
  }
  std::cout << "random clients: the gap of counters was at most " << widest << " of its bound\n";
  CHECK(widest > 0.01);
}

TEST_CASE("who always has something small running has nothing saved up when it asks for much") {
  auto o = cpu_options();
  o.max_waiting = 10'000;
  virtual_server s(o, cpu_machine());
  teach(s);
  auto from = s.now();
  // One fills the machine; of the other one long answer runs, and then another, until it wants everything.
  std::vector<request_arrival> traffic(3500, {from, 101, 20, 250});
  for (int i = 0; i < 60; ++i)
    traffic.push_back({from + i, 102, 8, 200});
  s.serve(traffic, from + 60);
  auto before = s.service();
  s.serve(std::vector<request_arrival>(1500, {s.now(), 102, 20, 250}), s.now() + 10);
  auto one = s.service().at(101) - before.at(101);
  auto two = s.service().at(102) - before.at(102);
  std::cout << "after a minute of little: " << one << " and " << two << " tokens in ten seconds\n";
  CHECK(two < 1.3 * one);
  CHECK(one < 1.3 * two);
}
