// Which adapters stay in memory, without a model: hit rates of LRU, LFU and GDSF on the same traces. A table
// goes to standard error, one line of JSON to standard output. Run: build/release/bin/lorica-bench-residency

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <stdexcept>
#include <string>

#include "bench/replay.hpp"
#include "bench/traffic.hpp"
#include "core/json.hpp"

namespace {

using namespace lorica;
using namespace lorica::bench;

struct settings {
  std::uint32_t adapters = 1000;
  std::uint32_t room = 32;
  std::uint32_t requests = 20'000;
  std::uint32_t seed = 0;
  std::uint64_t bytes = 9'767'520;
  std::vector<std::uint32_t> ranks = {16};
};

void add_flags(CLI::App& app, settings& s) {
  app.add_option("--adapters", s.adapters)->check(CLI::Range(1, 1'000'000))->capture_default_str();
  app.add_option("--room", s.room, "adapters of rank 16 that memory holds; fewer of higher ranks")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  app.add_option("--requests", s.requests)->check(CLI::Range(1, 1'000'000))->capture_default_str();
  app.add_option("--seed", s.seed, "of the traces; the same as lorica-bench serve's gives the same adapters")
      ->capture_default_str();
  app.add_option("--bytes", s.bytes, "of an adapter of rank 16")
      ->check(CLI::Range(std::uint64_t{16}, std::uint64_t{1} << 40))
      ->capture_default_str();
  app.add_option("--ranks", s.ranks, "dealt to the adapters in turns")->check(CLI::Range(1, 256));
}

/// Reading takes 4 ms and what its bytes take at 1 GB/s, as a load on two cores does.
std::vector<stored_adapter> stored(const settings& s) {
  std::vector<stored_adapter> out(s.adapters);
  for (std::uint32_t i = 0; i < s.adapters; ++i) {
    out[i].bytes = s.bytes * s.ranks[i % s.ranks.size()] / 16;
    out[i].load_seconds = 0.004 + static_cast<double>(out[i].bytes) / 1e9;
  }
  return out;
}

struct named_trace {
  std::string name;
  std::vector<std::uint32_t> adapters;
};

std::vector<std::uint32_t> indices(const result<std::vector<planned_request>>& planned) {
  if (!planned) throw std::runtime_error(planned.error().text);
  std::vector<std::uint32_t> out;
  for (auto& r : *planned)
    out.push_back(r.adapter);
  return out;
}

std::vector<named_trace> traces(const settings& s) {
  const random_traffic law{
      .requests = s.requests, .adapters = s.adapters, .order = adapter_order::zipf, .seed = s.seed};
  named_trace zipf{"zipf 1.0", indices(plan(law))};
  named_trace power{"power law 0.3", indices(plan(s_lora_traffic{.adapters = s.adapters,
                                                                 .alpha = 0.3,
                                                                 .rate = static_cast<double>(s.requests),
                                                                 .duration = 1,
                                                                 .seed = s.seed}))};
  // Zipf's, but others are popular after every tenth of the trace.
  named_trace shifting{"zipf 1.0, shifting", zipf.adapters};
  const auto part = std::max(1u, s.requests / 10);
  for (std::uint32_t i = 0; i < s.requests; ++i)
    shifting.adapters[i] = static_cast<std::uint32_t>(
        (shifting.adapters[i] + std::uint64_t{i / part} * (s.adapters / 10 + 1)) % s.adapters);
  return {zipf, power, shifting};
}

void measure(const settings& s) {
  const auto adapters = stored(s);
  const auto budget = s.bytes * s.room;
  if (std::ranges::max(adapters, {}, &stored_adapter::bytes).bytes > budget)
    throw std::runtime_error("--room: memory for " + std::to_string(s.room) +
                             " adapters of rank 16 does not hold one of the largest");
  json_writer json;
  json.begin_object().key("adapters").unsigned_integer(s.adapters).key("room_bytes").unsigned_integer(budget);
  json.key("requests").unsigned_integer(s.requests).key("seed").unsigned_integer(s.seed);
  json.key("ranks").begin_array();
  for (auto rank : s.ranks)
    json.unsigned_integer(rank);
  json.end_array().key("results").begin_array();
  constexpr std::pair<const char*, replay_policy> policies[] = {
      {"lru", replay_policy::lru}, {"lfu", replay_policy::lfu}, {"gdsf", replay_policy::gdsf}};
  for (auto& trace : traces(s))
    for (auto [name, policy] : policies) {
      const auto r = replay(policy, adapters, trace.adapters, budget);
      std::fprintf(stderr, "%-20s %-5s hits %5.1f %%, %8.1f s of loads\n", trace.name.c_str(), name,
                   100 * r.hit_rate(), r.load_seconds);
      json.begin_object().key("trace").string(trace.name).key("policy").string(name);
      json.key("hit_rate").number(r.hit_rate()).key("load_seconds").number(r.load_seconds).end_object();
    }
  std::printf("%s\n", json.end_array().end_object().take().c_str());
}

}  // namespace

int main(int argc, char** argv) {
  settings s;
  CLI::App app("Hit rates of LRU, LFU and GDSF on the same traces, without a model");
  add_flags(app, s);
  CLI11_PARSE(app, argc, argv);
  try {
    measure(s);
    return EXIT_SUCCESS;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "lorica-bench-residency: %s\n", e.what());
    return EXIT_FAILURE;
  }
}
