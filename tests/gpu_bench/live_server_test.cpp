#include "bench/gpu/live_server.hpp"

#include <deque>

#include "bench/gpu/failure.hpp"
#include "bench/gpu/session.hpp"
#include "bench/gpu/shape.hpp"
#include "tests/catch.hpp"
#include "tests/emulated_device/runtime.hpp"

namespace lorica::bench {
namespace {

session_settings tiny_settings() {
  session_settings out;
  out.shape = *shape_named("tiny");
  out.sizes = sizes_for("tiny");
  out.how = {0, 1, 0};
  return out;
}

planner_options options_of(const executor& engine) {
  const auto& l = engine.limits();
  planner_options o;
  o.block_tokens = l.block_tokens;
  o.blocks = l.blocks;
  o.max_sequences = l.max_sequences;
  o.max_rows = l.max_rows;
  o.max_positions = l.max_positions;
  o.sizes = {1'000'000, 1'000};
  return o;
}

/// An executor of the tiny shape with so many slots for adapters.
std::unique_ptr<executor> engine_with(session& s, std::uint32_t slots) {
  executor_need n;
  n.sequences = 3;
  n.tokens = 48;
  n.rows = 24;
  n.adapter_bytes = 1 << 22;
  n.adapters = slots;
  return s.make(n);
}

TEST_CASE("traffic is served to its end, with more adapters than slots") {
  session s(tiny_settings(), {});
  auto engine = engine_with(s, 2);
  const auto adapters = random_adapters(s.weights(), {all_projections(), {2, 4}}, {.count = 4});
  std::vector<request_arrival> arrivals;
  for (std::uint32_t i = 0; i < 9; ++i)
    arrivals.push_back({i * 1e-4, i % 5, 3 + i, 2 + i % 4});
  const auto out = live_server(*engine, adapters, options_of(*engine), s.model().vocab).serve(arrivals);
  REQUIRE(out.requests.size() == 9);
  std::uint64_t tokens = 0;
  for (auto& r : out.requests) {
    CHECK(r.tokens == r.asked.output);
    CHECK(r.first >= r.asked.at);
    CHECK(r.last >= r.first);
    tokens += r.tokens;
  }
  CHECK(out.tokens == tokens);
  CHECK(out.copies >= 4);
  CHECK(out.seconds > 0);
  CHECK(first_token_seconds(out).size() == 9);
}

TEST_CASE("adapters in use stay, and the one that was used least recently makes room") {
  session s(tiny_settings(), {});
  auto engine = engine_with(s, 2);
  const auto adapters = random_adapters(s.weights(), {all_projections(), {2}}, {.count = 3});
  {
    device_shelf shelf(*engine, adapters);
    const auto version = [&](std::size_t i) { return adapters[i]->version(); };
    REQUIRE(shelf.hold(version(0)) == adapters[0]);
    REQUIRE(shelf.hold(version(1)) == adapters[1]);
    CHECK(shelf.held().size() == 2);
    CHECK(shelf.hold(version(2)) == nullptr);
    shelf.release(version(1));
    shelf.release(version(0));
    REQUIRE(shelf.hold(version(2)));
    CHECK(shelf.copies() == 3);
    REQUIRE(shelf.hold(version(0)));
    CHECK(shelf.copies() == 3);  // it was still there; 1 had gone
    shelf.release(version(2));
    REQUIRE(shelf.hold(version(1)));
    CHECK(shelf.copies() == 4);
  }
  device_shelf again(*engine, adapters);  // everything was taken out
  CHECK(again.hold(adapters[0]->version()));
  CHECK(again.hold(adapters[1]->version()));
}

TEST_CASE("a run ends with its time or with the first tokens, and tells what it has") {
  session s(tiny_settings(), {});
  auto engine = engine_with(s, 1);
  const auto options = options_of(*engine);
  const std::vector<request_arrival> arrivals = {{0, 0, 4, 6}, {0, 0, 5, 6}};
  const auto all = live_server(*engine, {}, options, s.model().vocab).serve(arrivals);
  CHECK(all.ended == 2);
  CHECK(!all.cut);
  const auto first =
      live_server(*engine, {}, options, s.model().vocab).serve(arrivals, {.at_first_tokens = true});
  CHECK(!first.cut);
  CHECK(first.ended == 0);
  CHECK(first.tokens < all.tokens);
  // The time is over before anything begins: who has no token has waited until then.
  const auto none = live_server(*engine, {}, options, s.model().vocab).serve(arrivals, {.seconds = 0});
  CHECK(none.cut);
  CHECK(none.requests.empty());
  live_outcome waiting;
  waiting.end = 7;
  waiting.requests.push_back({.asked = {2, 0, 1, 1}});
  waiting.requests.push_back({.asked = {3, 0, 1, 1}, .first = 4, .last = 4, .tokens = 1});
  CHECK(first_token_seconds(waiting) == std::vector<double>{5, 1});
}

TEST_CASE("a request that can never run is told") {
  session s(tiny_settings(), {});
  auto engine = engine_with(s, 1);
  live_server server(*engine, {}, options_of(*engine), s.model().vocab);
  CHECK_THROWS_AS(server.serve({{0, 0, 4000, 2}}), failure);
}

}  // namespace
}  // namespace lorica::bench
