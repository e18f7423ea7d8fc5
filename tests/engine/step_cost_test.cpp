#include "engine/step_cost.hpp"

#include <algorithm>
#include <cmath>
#include <iostream>
#include <limits>
#include <random>
#include <vector>

#include "tests/catch.hpp"

using namespace lorica;

namespace {

constexpr executor_sizes small_model{84'000'000, 23'040};

/// Seconds of a made-up machine: the larger of a memory and an arithmetic time, and what each step costs.
struct machine {
  double bandwidth = 41.5e9;
  double row_seconds = 0.18e-3;
  double launch = 0.2e-3;

  double seconds(const step_load& l) const {
    auto bytes =
        small_model.weight_bytes + l.attended * 0.02 * small_model.kv_bytes_per_token + l.adapter_bytes;
    auto arithmetic = l.rows * row_seconds + l.adapter_rows * 0.01e-3 + l.attended * 0.1e-6;
    return std::max(bytes / bandwidth, arithmetic) + launch + l.head_rows * 0.05e-3;
  }
};

/// Seconds on a line, which the model can find.
double on_a_line(const step_load& l) {
  return 2e-3 + 0.06e-3 * l.rows + 0.12e-3 * std::max(0.0, l.rows - 16) + 0.2e-6 * l.attended +
         l.adapter_bytes / 35e9 + 0.02e-3 * l.adapter_rows + 0.05e-3 * l.head_rows;
}

class traffic {
 public:
  explicit traffic(std::uint64_t seed) : random_(seed) {}

  /// Decode rows of some sequences, often with a chunk of a prompt beside them.
  step_load load() {
    step_load out;
    auto decoders = random_() % 17;
    for (std::uint64_t i = 0; i < decoders; ++i)
      out += step_load::of_rows(1, static_cast<std::uint32_t>(random_() % 900), random_() % 2 == 0, 1);
    out.adapter_bytes = 9.8e6 * static_cast<double>(random_() % 9);
    if (decoders == 0 || random_() % 3 == 0)
      out +=
          step_load::of_rows(static_cast<std::uint32_t>(16 + random_() % 200),
                             static_cast<std::uint32_t>(random_() % 500), random_() % 2 == 0, random_() % 2);
    return out;
  }

  /// 1 with a deviation of 3 %.
  double noise() { return std::max(0.5, 1 + 0.03 * normal_(random_)); }
  std::uint64_t roll(std::uint64_t sides) { return random_() % sides; }

 private:
  std::mt19937_64 random_;
  std::normal_distribution<double> normal_;
};

/// The middle and the ninth tenth of the relative errors over fresh loads.
std::pair<double, double> errors(const step_cost& cost, auto&& law) {
  traffic fresh(99);
  std::vector<double> out;
  for (int i = 0; i < 1000; ++i) {
    auto load = fresh.load();
    out.push_back(std::abs(cost.predict(load) / law(load) - 1));
  }
  std::ranges::sort(out);
  return {out[500], out[900]};
}

}  // namespace

TEST_CASE("prices are found from noisy steps of a known line") {
  step_cost cost(small_model);
  traffic steps(1);
  for (int i = 0; i < 2000; ++i) {
    auto load = steps.load();
    cost.learn(load, on_a_line(load) * steps.noise());
  }
  auto [middle, most] = errors(cost, on_a_line);
  std::cout << "step cost, a line: error p50 " << middle << ", p90 " << most << "\n";
  CHECK(middle < 0.01);
  CHECK(most < 0.02);
  CHECK(std::abs(cost.price()[4] * 35e9 - 1) < 0.1);
  CHECK(cost.error() < 0.05);
}

TEST_CASE("a machine of memory and arithmetic is predicted well enough to plan by") {
  step_cost cost(small_model);
  traffic steps(2);
  machine m;
  for (int i = 0; i < 2000; ++i) {
    auto load = steps.load();
    cost.learn(load, m.seconds(load) * steps.noise());
  }
  auto [middle, most] = errors(cost, [&m](auto& l) { return m.seconds(l); });
  std::cout << "step cost, memory or arithmetic: error p50 " << middle << ", p90 " << most << "\n";
  CHECK(middle < 0.08);
  CHECK(most < 0.25);
}

TEST_CASE("steps that something foreign stretches do not move the prices") {
  step_cost cost(small_model);
  traffic steps(3);
  for (int i = 0; i < 3000; ++i) {
    auto load = steps.load();
    auto seconds = on_a_line(load) * steps.noise();
    // One in ten is stretched, most twofold, some a thousandfold.
    if (steps.roll(10) == 0) seconds *= steps.roll(8) == 0 ? 1000 : 2;
    cost.learn(load, seconds);
  }
  auto [middle, most] = errors(cost, on_a_line);
  std::cout << "step cost, stretched steps: error p50 " << middle << ", p90 " << most << "\n";
  CHECK(middle < 0.03);
  CHECK(most < 0.05);
}

TEST_CASE("a step weighs less by as much as it is off beyond three times the usual error") {
  // Steps of one load that all take the same: the usual error is then the least one, 1 %, and what was seen
  // weighs as much as 200 steps.
  auto load = step_load::of_rows(8, 100, true, 1);
  constexpr double usual = 0.05;
  auto moved_by = [&load](double times) {
    step_cost cost(small_model);
    for (int i = 0; i < 4000; ++i)
      cost.learn(load, usual);
    REQUIRE(cost.error() == Approx(0.01));
    REQUIRE(cost.predict(load) == Approx(usual));
    auto before = cost.predict(load);
    cost.learn(load, times * usual);
    return cost.predict(load) / before - 1;
  };
  // Errors are relative to the larger of both times, so a step of `times` counts 1 / times^2 of one.
  auto expected = [](double times, double weight) {
    auto part = weight / (times * times);
    return part * (times - 1) / (0.995 * 200 + part);
  };
  CHECK(moved_by(1.02) == Approx(expected(1.02, 1)).epsilon(0.01));
  CHECK(moved_by(1.25) == Approx(expected(1.25, 0.03 / 0.2)).epsilon(0.01));
  CHECK(moved_by(2) == Approx(expected(2, 0.03 / 0.5)).epsilon(0.01));
  CHECK(moved_by(1000) == Approx(expected(1000, 0.03 / 0.999)).epsilon(0.01));
}

TEST_CASE("a machine that gets slower for good is followed") {
  step_cost cost(small_model);
  traffic steps(4);
  for (int i = 0; i < 3000; ++i) {
    auto load = steps.load();
    cost.learn(load, on_a_line(load) * (i < 1500 ? 1 : 2.5) * steps.noise());
  }
  CHECK(errors(cost, [](auto& l) { return 2.5 * on_a_line(l); }).first < 0.05);
}

TEST_CASE("what is no time changes nothing, and no price is ever negative") {
  step_cost cost(small_model);
  auto before = cost.price();
  auto load = step_load::of_rows(8, 100, true, 1);
  for (auto nonsense :
       {0.0, -1.0, 1e9, std::numeric_limits<double>::infinity(), std::numeric_limits<double>::quiet_NaN()})
    cost.learn(load, nonsense);
  CHECK(cost.price() == before);
  CHECK(cost.steps() == 0);
  std::mt19937_64 random(5);
  traffic steps(6);
  for (int i = 0; i < 5000; ++i) {
    // Times that have nothing to do with the load.
    cost.learn(steps.load(), std::exp(static_cast<double>(random() % 2000) / 100 - 15));
    for (auto price : cost.price())
      if (!(price >= 0 && price < 1)) FAIL("price " << price << " after " << i);
  }
}

TEST_CASE("prices of what is not seen for long stay as they were") {
  step_cost cost(small_model);
  traffic steps(7);
  for (int i = 0; i < 2000; ++i) {
    auto load = steps.load();
    cost.learn(load, on_a_line(load));
  }
  // Ten thousand steps of one row of the base tell nothing of adapters.
  for (std::uint32_t i = 0; i < 10'000; ++i) {
    auto load = step_load::of_rows(1, i % 900, false, 1);
    cost.learn(load, on_a_line(load) * steps.noise());
  }
  CHECK(std::abs(cost.price()[4] * 35e9 - 1) < 0.3);
}

TEST_CASE("the first guess grows with the sizes and is a time") {
  auto one = step_load::of_rows(1, 100, false, 1);
  auto small = step_cost(small_model).predict(one);
  auto large = step_cost({14'000'000'000, 131'072}).predict(one);
  CHECK((small > 1e-4 && small < 0.1));
  CHECK((large > 50 * small && large < 5));
  CHECK(step_cost({}).predict(one) > 0);
}

TEST_CASE("the parts of a step sum up to it") {
  step_cost cost(small_model);
  traffic steps(8);
  for (int round = 0; round < 50; ++round) {
    std::vector<step_load> shares;
    step_load all;
    for (int i = 0; i < 5; ++i) {
      auto share = step_load::of_rows(static_cast<std::uint32_t>(1 + steps.roll(40)),
                                      static_cast<std::uint32_t>(steps.roll(100)), steps.roll(2) == 0, 1);
      if (steps.roll(2) == 0) share.adapter_bytes = 1e7;
      shares.push_back(share);
      all += share;
    }
    double sum = 0;
    for (auto& share : shares)
      sum += cost.part(share, all);
    CHECK(sum == Approx(cost.predict(all)));
  }
}
