// A small client beside one that has everything: what it waits for, in steps, and what the other loses by it.
#include <algorithm>
#include <iostream>
#include <limits>
#include <numeric>

#include "tests/catch.hpp"
#include "tests/engine/virtual_cpu.hpp"

using namespace lorica;
using namespace lorica::bench;
using lorica::testing::cpu_options;
using lorica::testing::teach;

namespace {

constexpr double forever = std::numeric_limits<double>::infinity();
constexpr double target = 0.1;

/// A machine on which a full batch of 64 rows takes about 70 ms, one row 5.
virtual_machine slow_machine() {
  return {.step_seconds = [](const step_load& l) {
    return 4e-3 + 0.4e-3 * l.rows + 0.6e-3 * std::max(0.0, l.rows - 16) + 0.2e-6 * l.attended +
           l.adapter_bytes / 10e9 + 0.05e-3 * l.adapter_rows + 0.05e-3 * l.head_rows;
  }};
}

planner_options slow_options() {
  auto o = cpu_options();
  o.inter_token_target = target;
  return o;
}

/// How it went for client B beside A, who always has more than fits.
struct outcome {
  std::vector<double> waits;  ///< of B for a first token, seconds
  std::uint32_t most_steps = 0;
  double longest_pause = 0;  ///< a step without A's decode rows and the next one, seconds
  double great_tokens = 0;   ///< of A, per second
  std::uint64_t apart = 0;
  std::uint64_t yields = 0;
};

/// Steps that ran, in part or whole, between a request and its first token.
std::uint32_t steps_waited(const virtual_server& s, const served_request& r) {
  return static_cast<std::uint32_t>(std::ranges::count_if(
      s.steps(), [&r](auto& step) { return step.at + step.seconds > r.asked.at && step.at < r.first; }));
}

/// 30 s of A alone, or of B's 16-token requests, one every `period` seconds, beside it.
outcome beside(planner_options o, double period) {
  virtual_server s(std::move(o), slow_machine());
  teach(s);
  auto from = s.now();
  std::vector<request_arrival> traffic(400, {from, 101, 64, 256});
  s.serve(traffic, from + 5);
  auto full = s.steps().size();
  traffic.clear();
  for (auto at = s.now(); period > 0 && at < from + 33; at += period)
    traffic.push_back({at, 102, 16, 16});
  s.serve(traffic, from + 35);
  outcome out;
  for (auto& r : s.requests()) {
    if (r.asked.adapter == 102) {
      out.waits.push_back(r.tokens == 0 ? forever : r.first - r.asked.at);
      out.most_steps = std::max(out.most_steps, r.tokens == 0 ? 1000 : steps_waited(s, r));
    } else if (r.asked.adapter == 101) {
      out.great_tokens += r.tokens / 35.0;
    }
  }
  for (std::size_t i = full; i + 1 < s.steps().size(); ++i)
    if (s.steps()[i].decode_rows < 30)
      out.longest_pause = std::max(out.longest_pause, s.steps()[i].seconds + s.steps()[i + 1].seconds);
  out.apart = s.plan().stats().apart;
  out.yields = s.plan().stats().yields;
  return out;
}

}  // namespace

TEST_CASE("a small client waits for the step that runs and its own, however its replies overlap") {
  auto o = slow_options();
  auto alone = beside(o, 0);
  // A reply beside A takes over a second: at once, one after the other, and up to twelve at once.
  for (double period : {2.3, 1.01, 0.33, 0.1}) {
    INFO("a request every " << period << " s");
    auto both = beside(o, period);
    std::cout << "a small request every " << period << " s: first token p50 " << quantile(both.waits, 0.5)
              << ", p99 " << quantile(both.waits, 0.99) << " s, at most " << both.most_steps << " steps, "
              << both.apart << " steps of their own, " << both.yields << " yields; the other "
              << both.great_tokens << " tok/s, alone " << alone.great_tokens << "\n";
    // The step that runs is shorter than the target while small requests come.
    CHECK(both.most_steps <= 2);
    CHECK(quantile(both.waits, 0.99) <= 0.95 * target);
    CHECK(both.apart > 0);
    CHECK(both.longest_pause > 0);
    CHECK(both.longest_pause <= 1.25 * target);
    // A loses what B's rows take, at A's own price of a row, and one reading of the weights for each of B's
    // prompts.
    auto requests = static_cast<double>(both.waits.size()) / 35;
    auto lost = requests * (16 + 16 + 4e-3 * alone.great_tokens);
    CHECK(both.great_tokens > 0.98 * (alone.great_tokens - lost));
  }
  CHECK(alone.apart == 0);
  CHECK(alone.yields == 0);
}

TEST_CASE("who yields again and again comes to an end, and most of what is computed for it is new") {
  auto o = slow_options();
  o.max_sequences = 8;
  o.prefix_caching = false;  // what yields is computed anew
  virtual_server s(o, slow_machine());
  teach(s);
  auto first = s.steps().size();
  auto taught = s.requests().size();
  std::vector<request_arrival> traffic(40, {s.now(), 101, 300, 100});
  for (int i = 0; i < 1500; ++i)
    traffic.push_back({s.now() + 0.05 * i, 102, 8, 2});
  s.serve(traffic, forever);
  std::uint64_t rows = 0;
  std::uint64_t needed = 0;
  for (auto i = first; i < s.steps().size(); ++i)
    rows += s.steps()[i].decode_rows + s.steps()[i].prefill_rows;
  double end = 0;
  for (auto i = taught; i < s.requests().size(); ++i) {
    auto& r = s.requests()[i];
    CHECK(r.tokens == r.asked.output);
    needed += r.asked.prompt + r.asked.output - 1;
    if (r.asked.adapter == 101) end = std::max(end, r.last);
  }
  std::cout << "yields without a cache: " << s.plan().stats().yields << ", rows computed " << rows << " of "
            << needed << " needed\n";
  CHECK(s.plan().stats().yields > 40);  // more than once each
  CHECK(static_cast<double>(rows) < 1.3 * static_cast<double>(needed));
  // The other's requests went on until then.
  CHECK(end > traffic.front().at + 10);
}
