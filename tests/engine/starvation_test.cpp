// Adapters that are too many for the target, or not in memory: who waits for whom, in virtual time.
#include <algorithm>
#include <iostream>
#include <limits>

#include "tests/catch.hpp"
#include "tests/engine/virtual_cpu.hpp"

using namespace lorica;
using namespace lorica::bench;
using lorica::testing::burst;
using lorica::testing::cpu_machine;
using lorica::testing::cpu_options;
using lorica::testing::teach;

namespace {

constexpr double forever = std::numeric_limits<double>::infinity();

/// Adapters of 2 ms each on a machine whose steps take 3 ms without.
virtual_machine dear_adapters() {
  auto out = cpu_machine();
  out.adapter_bytes = 70'000'000;
  return out;
}

planner_options dear_options() {
  auto o = cpu_options();
  o.inter_token_target = 0.02;
  o.starve_after = {};
  return o;
}

std::uint32_t adapters_at_once(const virtual_server& s, std::size_t first) {
  std::uint32_t out = 0;
  for (auto i = first; i < s.steps().size(); ++i)
    out = std::max(out, s.steps()[i].adapters);
  return out;
}

/// Ten requests for each of 32 adapters at once.
std::vector<request_arrival> crowd(const virtual_server& s) {
  std::vector<request_arrival> out;
  for (std::uint32_t round = 0; round < 10; ++round)
    for (std::uint32_t adapter = 1; adapter <= 32; ++adapter)
      out.push_back({s.now(), adapter, 32, 40});
  return out;
}

}  // namespace

TEST_CASE("no more adapters run at once than the target bears, and each gets its turn") {
  virtual_server s(dear_options(), dear_adapters());
  teach(s);
  auto first = s.steps().size();
  s.serve(crowd(s), forever);
  auto most = adapters_at_once(s, first);
  // 2 ms of weights and 2 ms an adapter in 20 ms, some rows beside them.
  CHECK(most >= 4);
  CHECK(most <= 9);
  double slowest = 0;
  for (auto i = first; i < s.steps().size(); ++i)
    if (s.steps()[i].prefill_rows == 0) slowest = std::max(slowest, s.steps()[i].seconds);
  CHECK(slowest <= 0.02 * 1.1);
  for (auto& r : s.requests())
    CHECK(r.tokens == r.asked.output);
  auto unbounded = dear_options();
  unbounded.inter_token_target = 0;
  virtual_server all(unbounded, dear_adapters());
  teach(all);
  auto then = all.steps().size();
  all.serve(crowd(all), forever);
  std::cout << "adapters at once with a target of 20 ms: " << most << " of 32, longest decode step "
            << slowest << " s; without a target " << adapters_at_once(all, then) << "\n";
  CHECK(adapters_at_once(all, then) == 32);
}

TEST_CASE("a first adapter runs even where it alone passes the target") {
  auto o = dear_options();
  o.inter_token_target = 0.001;
  virtual_server s(o, dear_adapters());
  s.serve(burst(s, 3, 1, 16, 4), forever);
  for (auto& r : s.requests())
    CHECK(r.tokens == 4);
}

TEST_CASE("whoever waits for an adapter too many is let in after the limit of age") {
  auto wait_of_the_last = [](std::chrono::nanoseconds limit) {
    auto o = dear_options();
    o.starve_after = limit;
    o.cluster_gap = 1000;  // others may pass nearly without end
    auto machine = cpu_machine();
    machine.adapter_bytes = 140'000'000;  // 4 ms each
    virtual_server s(o, machine);
    teach(s);
    std::vector<request_arrival> traffic;
    for (int i = 0; i < 120; ++i)
      for (std::uint32_t adapter = 101; adapter <= 104; ++adapter)
        traffic.push_back({s.now() + 0.3 * i, adapter, 16, 30});
    auto at = s.now() + 1.01;
    auto place = std::ranges::find_if(traffic, [at](auto& r) { return r.at > at; });
    traffic.insert(place, {at, 107, 16, 4});
    s.serve(traffic, s.now() + 36);
    for (auto& r : s.requests())
      if (r.asked.adapter == 107) return r.tokens == 0 ? forever : r.first - r.asked.at;
    return -1.0;
  };
  auto guarded = wait_of_the_last(std::chrono::seconds(3));
  auto alone = wait_of_the_last({});
  std::cout << "a client kept out by the price of its adapter: first token after " << guarded
            << " s with a limit of 3 s, without " << alone << " s\n";
  CHECK(guarded > 2.5);
  CHECK(guarded < 3.5);
  CHECK(alone > 10);
}

TEST_CASE("adapters that run already go first, but not for longer than the gap") {
  auto before_the_cold = [](double gap) {
    auto o = cpu_options();
    o.max_sequences = 10;
    o.cluster_gap = gap;
    o.starve_after = {};
    virtual_server s(o, cpu_machine());
    teach(s);
    std::vector<request_arrival> traffic;
    for (std::uint32_t i = 0; i < 10; ++i)
      traffic.push_back({s.now(), 101 + i % 5, 16, 20 + 5 * i});
    s.serve(traffic, s.now() + 0.01);
    // Slots are taken, by five clients alike, so nobody yields; now all six wait.
    traffic = burst(s, 1, 106, 16, 20);
    for (int i = 0; i < 400; ++i)
      traffic.push_back(
          {s.now(), static_cast<std::uint32_t>(101 + i % 5), 16, 20 + static_cast<std::uint32_t>(i % 7)});
    s.serve(traffic, forever);
    double first = 0;
    for (auto& r : s.requests())
      if (r.asked.adapter == 106) first = r.first;
    return std::ranges::count_if(s.requests(), [first](auto& r) {
      return r.asked.adapter > 100 && r.asked.adapter < 106 && r.first < first;
    });
  };
  auto none = before_the_cold(0);
  auto some = before_the_cold(0.2);
  auto many = before_the_cold(0.6);
  std::cout << "requests of running adapters before a cold one: gap 0: " << none << ", 0.2 s: " << some
            << ", 0.6 s: " << many << "\n";
  CHECK(none <= 11);
  CHECK(some > none);
  CHECK(many > some);
  CHECK(many < 300);
}

TEST_CASE("who waits for a lease delays nobody, and those whose turn is next ask first") {
  auto o = cpu_options();
  o.max_sequences = 2;
  o.leases_ahead = 3;
  planner plan(o);
  auto submit = [&plan](sequence_id id, std::uint8_t adapter, std::uint32_t tokens) {
    sequence s;
    s.id = id;
    s.prompt.assign(tokens, static_cast<token_id>(id));
    s.max_new_tokens = 50;
    s.ignore_eos = true;
    if (adapter != 0) s.composition.push_back({lorica::adapter_version{{adapter}}, 1.0f});
    REQUIRE(plan.submit(std::move(s)));
  };
  auto step = [&plan] {
    auto planned = plan.next_step();
    REQUIRE(planned);
    step_output out;
    for (std::uint32_t i = 0; i < planned->work->sequences.size(); ++i)
      if (planned->work->sequences[i].sample) out.tokens.push_back({i, 1, -1.0f});
    static_cast<void>(plan.complete(out));
  };
  submit(1, 0, 100);
  submit(2, 0, 100);
  step();
  for (std::uint8_t adapter = 1; adapter <= 9; ++adapter)
    for (sequence_id k = 0; k < 20; ++k)
      submit(adapter * 100u + k, adapter, 10);
  step();
  auto asked = plan.lease_wanted();
  REQUIRE(asked.size() == 3);
  for (std::uint8_t i = 0; i < 3; ++i)
    CHECK(asked[i].digest[0] == i + 1);
  step();
  CHECK(plan.lease_wanted().empty());
  CHECK(plan.stats().leases == 3);
  // The base goes on meanwhile.
  CHECK(plan.stats().running == 2);
  static_cast<void>(plan.cancel(1));
  submit(9000, 0, 10);
  step();
  CHECK(plan.stats().running == 2);
}

TEST_CASE("an adapter that takes long to come delays its own client only") {
  auto machine = cpu_machine();
  machine.adapter_seconds = 0.5;
  virtual_server s(cpu_options(), machine);
  auto traffic = burst(s, 20, 1, 50, 20);
  auto base = burst(s, 20, 0, 50, 20);
  traffic.insert(traffic.end(), base.begin(), base.end());
  s.serve(traffic, forever);
  for (auto& r : s.requests()) {
    CHECK((r.asked.adapter != 0 || r.last < 0.5));
    CHECK((r.asked.adapter == 0 || r.first > 0.5));
  }
}
