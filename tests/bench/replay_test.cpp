#include "bench/replay.hpp"

#include "tests/catch.hpp"

using namespace lorica::bench;

namespace {

const std::vector<stored_adapter> alike(4, {10, 0.5});

std::uint64_t hits(replay_policy policy, const std::vector<std::uint32_t>& trace, std::uint64_t budget = 20) {
  return replay(policy, alike, trace, budget).hits;
}

}  // namespace

TEST_CASE("what has room hits from its second use on, and misses cost their loads") {
  for (auto policy : {replay_policy::lru, replay_policy::lfu, replay_policy::gdsf}) {
    auto r = replay(policy, alike, {0, 1, 0, 1, 0}, 20);
    CHECK(r.requests == 5);
    CHECK(r.hits == 3);
    CHECK(r.hit_rate() == Approx(0.6));
    CHECK(r.load_seconds == Approx(1.0));
  }
}

TEST_CASE("LRU lets a scan push out the popular one, LFU and GDSF do not") {
  const std::vector<std::uint32_t> trace = {0, 0, 0, 0, 1, 2, 0};
  CHECK(hits(replay_policy::lru, trace) == 3);
  CHECK(hits(replay_policy::lfu, trace) == 4);
  CHECK(hits(replay_policy::gdsf, trace) == 4);
}

TEST_CASE("LFU never forgets who was popular, GDSF does") {
  std::vector<std::uint32_t> trace(40, 0);
  trace.insert(trace.end(), 40, 1);
  for (int i = 0; i < 60; ++i) {
    trace.push_back(2);
    trace.push_back(3);
  }
  CHECK(hits(replay_policy::gdsf, trace) > hits(replay_policy::lfu, trace));
}

TEST_CASE("an adapter of more bytes takes the room of several") {
  const std::vector<stored_adapter> sizes = {{20, 1}, {10, 1}, {10, 1}};
  for (auto policy : {replay_policy::lru, replay_policy::lfu, replay_policy::gdsf}) {
    auto r = replay(policy, sizes, {1, 2, 1, 2, 0, 1}, 20);
    CHECK(r.hits == 2);
  }
}
