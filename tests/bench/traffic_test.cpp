#include "bench/traffic.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "tests/bench/golden_file.hpp"
#include "tests/catch.hpp"

using namespace lorica;
using namespace lorica::bench;
using namespace lorica::testing;

namespace {

using requests = std::vector<planned_request>;

template <class Traffic>
requests planned(const Traffic& t) {
  auto out = plan(t);
  REQUIRE(out);
  return *std::move(out);
}

/// How often each adapter is asked for, most first.
std::vector<std::size_t> popularity(const requests& all) {
  std::map<std::uint32_t, std::size_t> counts;
  for (auto& r : all)
    ++counts[r.adapter];
  std::vector<std::size_t> out;
  for (auto& [adapter, count] : counts)
    out.push_back(count);
  std::ranges::sort(out, std::greater{});
  return out;
}

std::pair<std::uint32_t, std::uint32_t> range_of(const value& pair) {
  auto ends = numbers(pair);
  return {static_cast<std::uint32_t>(ends.at(0)), static_cast<std::uint32_t>(ends.at(1))};
}

template <class Traffic>
std::string refusal(const Traffic& t) {
  auto out = plan(t);
  REQUIRE_FALSE(out);
  CHECK(out.error().code == errc::bad_config);
  return out.error().text;
}

}  // namespace

TEST_CASE("S-LoRA's trace is the one that its recipe draws from numpy") {
  for (auto& golden : *in(serve_golden(), "s_lora").as_array()) {
    s_lora_traffic t;
    t.adapters = static_cast<std::uint32_t>(number(in(golden, "adapters")));
    t.alpha = number(in(golden, "alpha"));
    t.rate = number(in(golden, "rate"));
    t.cv = number(in(golden, "cv"));
    t.duration = number(in(golden, "duration"));
    t.input = range_of(in(golden, "input"));
    t.output = range_of(in(golden, "output"));
    t.seed = static_cast<std::uint32_t>(number(in(golden, "seed")));
    auto all = planned(t);
    auto adapters = numbers(in(golden, "adapter")), prompts = numbers(in(golden, "prompt"));
    auto outputs = numbers(in(golden, "length")), arrivals = numbers(in(golden, "arrival"));
    REQUIRE(all.size() == adapters.size());
    for (std::size_t i = 0; i < all.size(); ++i) {
      INFO("request " << i);
      CHECK(all[i].adapter == adapters[i]);
      CHECK(all[i].prompt == prompts[i]);
      CHECK(all[i].output == outputs[i]);
      CHECK(std::abs(all[i].arrival - arrivals[i]) <= 1e-11 * arrivals[i]);
    }
  }
}

TEST_CASE("S-LoRA's adapters are as popular as its law says") {
  // Shares of the most popular one and of the ten most popular of 200: k of them have (k/n)^alpha, the first
  // by its place.
  for (double alpha : {0.1, 0.3, 0.6, 1.0}) {
    auto all = planned(s_lora_traffic{.adapters = 200, .alpha = alpha, .rate = 1000, .duration = 60});
    REQUIRE(all.size() == 60'000);
    const auto below = [&](std::uint32_t k) {
      return static_cast<double>(std::ranges::count_if(all, [k](auto& r) { return r.adapter < k; })) /
             static_cast<double>(all.size());
    };
    INFO("alpha " << alpha);
    CHECK(below(1) == Approx(std::pow(1 / 200.0, alpha)).margin(0.008));
    CHECK(below(10) == Approx(std::pow(10 / 200.0, alpha)).margin(0.008));
    CHECK(below(200) == 1);
  }
}

TEST_CASE("S-LoRA's arrivals have the asked rate and variation, and its lengths the asked ends") {
  for (double cv : {0.5, 1.0, 4.0}) {
    auto all =
        planned(s_lora_traffic{.adapters = 1, .rate = 200, .cv = cv, .duration = 200, .input = {8, 10}});
    double last = 0, sum = 0, squares = 0;
    std::set<std::uint32_t> lengths;
    for (auto& r : all) {
      const double gap = r.arrival - std::exchange(last, r.arrival);
      REQUIRE(gap >= 0);
      sum += gap;
      squares += gap * gap;
      lengths.insert(r.prompt);
    }
    const auto n = static_cast<double>(all.size());
    const double mean = sum / n;
    INFO("cv " << cv);
    CHECK(mean == Approx(1 / 200.0).epsilon(0.06));
    CHECK(std::sqrt(squares / n - mean * mean) / mean == Approx(cv).epsilon(0.06));
    CHECK(lengths == std::set<std::uint32_t>{8, 9});
  }
}

TEST_CASE("random traffic arrives when vLLM's tool sends it") {
  for (auto& golden : *in(serve_golden(), "arrivals").as_array()) {
    auto expected = numbers(in(golden, "arrival"));
    auto all = planned(random_traffic{.requests = static_cast<std::uint32_t>(expected.size()),
                                      .rate = number(in(golden, "rate")),
                                      .burstiness = number(in(golden, "burstiness")),
                                      .seed = static_cast<std::uint32_t>(number(in(golden, "seed")))});
    for (std::size_t i = 0; i < all.size(); ++i)
      CHECK(all[i].arrival == Approx(expected[i]).epsilon(1e-11));
  }
}

TEST_CASE("random traffic keeps to its lengths and deals adapters as asked") {
  auto all = planned(
      random_traffic{.requests = 4000, .input = 100, .output = 10, .range_ratio = 0.5, .adapters = 4});
  std::set<std::uint32_t> prompts, outputs;
  for (auto& r : all) {
    CHECK(r.arrival == 0);
    prompts.insert(r.prompt);
    outputs.insert(r.output);
  }
  CHECK(*prompts.begin() == 50);
  CHECK(*prompts.rbegin() == 150);
  CHECK(*outputs.begin() == 5);
  CHECK(*outputs.rbegin() == 15);
  auto counts = popularity(all);
  REQUIRE(counts.size() == 4);
  CHECK(counts.front() < 1100);
  CHECK(counts.back() > 900);

  auto in_turn = planned(random_traffic{.requests = 5, .adapters = 2, .order = adapter_order::round_robin});
  std::vector<std::uint32_t> order;
  for (auto& r : in_turn)
    order.push_back(r.adapter);
  CHECK(order == std::vector<std::uint32_t>{0, 1, 0, 1, 0});
  CHECK(planned(random_traffic{.requests = 1}).front().adapter == planned_request::none);
}

TEST_CASE("Punica's patterns share the requests out as its paper says") {
  auto of = [](punica_pattern p) {
    return popularity(planned(punica_traffic{.requests = 1000, .pattern = p}));
  };
  CHECK(of(punica_pattern::identical) == std::vector<std::size_t>{1000});
  CHECK(of(punica_pattern::distinct) == std::vector<std::size_t>(1000, 1));
  auto uniform = of(punica_pattern::uniform);
  CHECK(uniform.size() == 32);
  CHECK(uniform.front() - uniform.back() <= 1);
  auto skewed = of(punica_pattern::skewed);
  CHECK(std::accumulate(skewed.begin(), skewed.end(), std::size_t{0}) == 1000);
  CHECK(skewed.size() == adapters_of(punica_pattern::skewed, 1000));
  // 1.5 times the next one's each, but for the one that was cut so that the sum fits.
  for (double size = 1; size <= 300; size *= 1.5) {
    auto found = std::ranges::find(skewed, static_cast<std::size_t>(size));
    INFO(size);
    REQUIRE(found != skewed.end());
    skewed.erase(found);
  }
  CHECK(skewed.size() == 1);
}

TEST_CASE("Punica's lengths are lognormal prompts under a uniform whole") {
  auto all = planned(
      punica_traffic{.requests = 40'000, .pattern = punica_pattern::identical, .most = 2048, .adapters = 1});
  std::vector<double> prompts;
  double whole = 0;
  for (auto& r : all) {
    REQUIRE(r.prompt >= 1);
    REQUIRE(r.output >= 2);
    REQUIRE(r.prompt + r.output <= std::max(2047u, r.prompt + 2));
    prompts.push_back(r.prompt);
    whole += r.prompt + r.output;
  }
  std::ranges::sort(prompts);
  // 18·exp(0.8 z) − 1, cut to whole tokens: the median is 17, and 84 % lie below 39.
  CHECK(prompts[prompts.size() / 2] == Approx(17).margin(1));
  CHECK(prompts[prompts.size() * 84134 / 100'000] == Approx(18 * std::exp(0.8) - 1.5).margin(1.5));
  CHECK(whole / static_cast<double>(all.size()) == Approx(1024).epsilon(0.02));
}

TEST_CASE("by Zipf's law the k-th adapter is asked for 1/k as often as the first") {
  const random_traffic t{.requests = 50'000, .adapters = 100, .order = adapter_order::zipf, .seed = 3};
  auto counts = popularity(planned(t));
  REQUIRE(counts.size() == 100);
  CHECK(static_cast<double>(counts[1]) / static_cast<double>(counts[0]) == Approx(0.5).epsilon(0.1));
  CHECK(static_cast<double>(counts[9]) / static_cast<double>(counts[0]) == Approx(0.1).epsilon(0.15));
  auto flat = t;
  flat.exponent = 0;
  CHECK(popularity(planned(flat)).front() < 700);  // 500 on the average
}

TEST_CASE("which adapters are asked for does not depend on lengths, so that a trace can be replayed") {
  random_traffic t{.requests = 200, .adapters = 50, .order = adapter_order::zipf, .seed = 5};
  auto one = planned(t);
  t.input = 7;
  t.range_ratio = 0.5;
  t.prefix = 100;
  auto other = planned(t);
  for (std::size_t i = 0; i < one.size(); ++i)
    REQUIRE(one[i].adapter == other[i].adapter);
  CHECK(other[0].shared == 100);
  CHECK(other[0].prompt > 100);
  CHECK(other[0].prompt <= 111);
}

TEST_CASE("numbers that no traffic can have are refused by name") {
  CHECK_THAT(refusal(random_traffic{.requests = 0}), Catch::Contains("--num-prompts is 0"));
  CHECK_THAT(refusal(random_traffic{.requests = 2'000'000}), Catch::Contains("1 to 1000000"));
  CHECK_THAT(refusal(random_traffic{.rate = 0}), Catch::Contains("--request-rate is 0"));
  CHECK_THAT(refusal(random_traffic{.range_ratio = 1}), Catch::Contains("--random-range-ratio is 1"));
  CHECK_THAT(refusal(random_traffic{.range_ratio = std::nan("")}), Catch::Contains("--random-range-ratio"));
  CHECK_THAT(refusal(random_traffic{.burstiness = -1}), Catch::Contains("--burstiness is -1"));
  CHECK_THAT(refusal(random_traffic{.prefix = 2'000'000}), Catch::Contains("--random-prefix-len is 2000000"));
  CHECK_THAT(refusal(random_traffic{.exponent = -1}), Catch::Contains("--lora-zipf-exponent is -1"));
  CHECK_THAT(refusal(s_lora_traffic{.adapters = 0}), Catch::Contains("--lora-modules"));
  CHECK_THAT(refusal(s_lora_traffic{.rate = std::numeric_limits<double>::infinity()}),
             Catch::Contains("--request-rate"));
  CHECK_THAT(refusal(s_lora_traffic{.rate = 1e6, .duration = 1e6}), Catch::Contains("1 to 1000000 requests"));
  CHECK_THAT(refusal(s_lora_traffic{.input = {5, 5}}), Catch::Contains("LOW < HIGH"));
  CHECK_THAT(refusal(s_lora_traffic{.alpha = 0}), Catch::Contains("--s-lora-alpha is 0"));
  CHECK_THAT(refusal(punica_traffic{.requests = 100, .adapters = 99}), Catch::Contains("needs 100"));
  CHECK_THAT(refusal(punica_traffic{.most = 2}), Catch::Contains("--punica-max-len is 2"));
}
