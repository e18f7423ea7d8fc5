#include <iostream>

#include "tests/catch.hpp"
#include "tests/engine/planner_world.hpp"

using namespace lorica;
using lorica::testing::planner_world;

namespace {

planner_options roomy() {
  return {.block_tokens = 4,
          .blocks = 400,
          .max_sequences = 8,
          .max_rows = 48,
          .max_positions = 120,
          .max_waiting = 40,
          .eos = {0}};
}

struct run {
  const char* name;
  planner_options options;
  std::uint64_t seed;
};

/// Pools, budgets and queues of every kind: roomy, starved of blocks, of rows, of slots, of adapters, of
/// tokens.
std::vector<run> runs() {
  auto tight = roomy();
  tight.blocks = 30;
  auto chunks = roomy();
  chunks.max_prefill_tokens = 5;
  chunks.blocks = 60;
  auto few_rows = roomy();
  few_rows.max_rows = 5;
  few_rows.block_tokens = 1;
  auto few_adapters = roomy();
  few_adapters.max_adapters_per_step = 2;
  few_adapters.blocks = 50;
  auto token_bound = roomy();
  token_bound.max_total_tokens = 150;
  token_bound.max_waiting = 12;
  token_bound.leases_ahead = 0;
  auto alone = roomy();
  alone.max_sequences = 1;
  alone.blocks = 30;
  auto uncached = roomy();
  uncached.prefix_caching = false;
  // One after the other, only the order of arrival leaves those that begin alike together.
  alone.policy = schedule_policy::fcfs;
  auto arrivals = tight;
  arrivals.policy = schedule_policy::fcfs;
  auto targeted = roomy();
  targeted.blocks = 60;
  targeted.inter_token_target = 0.003;
  targeted.cluster_gap = 0.01;
  targeted.starve_after = std::chrono::milliseconds(100);
  return {{"arrivals", arrivals, 19},  {"a target", targeted, 20},         {"without cache", uncached, 18},
          {"roomy", roomy(), 11},      {"few blocks", tight, 12},          {"small chunks", chunks, 13},
          {"few rows", few_rows, 14},  {"few adapters", few_adapters, 15}, {"few tokens", token_bound, 16},
          {"one at a time", alone, 17}};
}

/// Any bounds, however odd.
planner_options random_options(std::uint64_t seed) {
  std::mt19937_64 random(seed);
  auto between = [&random](std::uint32_t low, std::uint32_t high) {
    return low + static_cast<std::uint32_t>(random() % (high - low + 1));
  };
  planner_options o;
  o.block_tokens = between(1, 9);
  o.blocks = between(20, 300) / o.block_tokens + 20;
  o.max_sequences = between(1, 20);
  o.max_rows = between(1, 60);
  o.max_positions = between(20, 150);
  o.max_prefill_tokens = between(0, 2) == 0 ? 0 : between(1, 40);
  o.max_total_tokens = between(0, 1) == 0 ? 0 : between(60, 400);
  o.max_waiting = between(1, 60);
  o.max_adapters_per_step = between(0, 3);
  o.leases_ahead = between(0, 3);
  o.prefix_caching = between(0, 4) != 0;
  o.policy = between(0, 2) == 0 ? schedule_policy::fcfs : schedule_policy::fair;
  o.inter_token_target = between(0, 2) * 0.002;
  o.cluster_gap = between(0, 2) * 0.01;
  o.starve_after = std::chrono::milliseconds(50) * between(0, 4);
  o.eos = {0};
  return o;
}

}  // namespace

TEST_CASE("whatever is called in whatever order, the plan keeps its promises") {
  std::uint64_t recomputed = 0, ahead = 0, called_off = 0;
  for (auto& r : runs()) {
    INFO(r.name << ", seed " << r.seed);
    planner_world world(r.options, r.seed);
    for (int i = 0; i < 130'000; ++i)
      REQUIRE_NOTHROW(world.act());
    REQUIRE_NOTHROW(world.drain());
    auto s = world.stats();
    std::cout << "planner, " << r.name << ": seed " << r.seed << ", accepted " << world.accepted
              << ", finished " << world.finished << ", refused " << world.refused << ", steps " << s.steps
              << ", rows " << s.rows << ", preemptions " << s.preemptions << ", of them yields " << s.yields
              << ", prompt tokens told " << world.told << ", after a preemption " << world.recomputed
              << ", tokens found " << s.prefix_hits << ", steps planned ahead " << s.ahead << ", called off "
              << world.called_off << "\n";
    CHECK((s.prefix_hits > 1000) == r.options.prefix_caching);
    CHECK(world.finished > 1000);
    CHECK(world.told > 1000);
    CHECK(world.waited > 30);
    ahead += s.ahead;
    called_off += world.called_off;
    recomputed += world.recomputed;
    CHECK((r.options.max_sequences == 1 || s.preemptions > 20));
  }
  CHECK(recomputed > 100);
  CHECK(ahead > 1000);
  CHECK(called_off > 100);
}

TEST_CASE("ending everything ends everything once, in the middle of any traffic") {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    INFO("seed " << seed);
    planner_world world(runs()[seed % 10].options, seed);
    for (std::uint64_t i = 0; i < 100 + seed; ++i)
      REQUIRE_NOTHROW(world.act());
    REQUIRE_NOTHROW(world.end_all());
    REQUIRE_NOTHROW(world.drain());
  }
}

TEST_CASE("the promises hold with bounds of any size") {
  std::uint64_t finished = 0;
  for (std::uint64_t seed = 1000; seed < 1040; ++seed) {
    INFO("seed " << seed);
    planner_world world(random_options(seed), seed);
    for (int i = 0; i < 5000; ++i)
      REQUIRE_NOTHROW(world.act());
    REQUIRE_NOTHROW(world.drain());
    finished += world.finished;
  }
  std::cout << "planner, random bounds: seeds 1000 to 1039, finished " << finished << "\n";
  CHECK(finished > 5000);
}
