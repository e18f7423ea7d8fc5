#include "bench/serve_metrics.hpp"

#include "tests/bench/golden_file.hpp"
#include "tests/catch.hpp"

using namespace lorica;
using namespace lorica::bench;
using namespace lorica::testing;

namespace {

std::vector<request_outcome> outcomes_of(const value& list) {
  std::vector<request_outcome> out;
  for (auto& given : *list.as_array()) {
    request_outcome o;
    o.success = *in(given, "success").as_bool();
    o.start = number(in(given, "start"));
    o.ttft = number(in(given, "ttft"));
    o.latency = number(in(given, "latency"));
    o.itl = numbers(in(given, "itl"));
    o.prompt = static_cast<std::uint32_t>(number(in(given, "prompt")));
    o.output = static_cast<std::uint32_t>(number(in(given, "output")));
    out.push_back(o);
  }
  return out;
}

goodput_bounds bounds_of(const value& goodput) {
  auto bound = [&](std::string_view name) {
    auto v = goodput.find(name);
    return v ? std::optional(number(*v) / 1000) : std::nullopt;
  };
  return {bound("ttft"), bound("tpot"), bound("e2el")};
}

void check_distribution(const distribution& d, const value& told, const std::string& name) {
  INFO(name);
  CHECK(d.mean * 1e3 == Approx(number(in(told, "mean_" + name + "_ms"))).epsilon(1e-12));
  CHECK(d.median * 1e3 == Approx(number(in(told, "median_" + name + "_ms"))).epsilon(1e-12));
  CHECK(d.deviation * 1e3 == Approx(number(in(told, "std_" + name + "_ms"))).epsilon(1e-9).margin(1e-9));
  auto& percentiles = *in(told, "percentiles_" + name + "_ms").as_array();
  REQUIRE(percentiles.size() == d.percentiles.size());
  for (std::size_t i = 0; i < percentiles.size(); ++i) {
    auto pair = numbers(percentiles[i]);
    CHECK(d.percentiles[i].first == pair.at(0));
    CHECK(d.percentiles[i].second * 1e3 == Approx(pair.at(1)).epsilon(1e-12));
  }
}

}  // namespace

TEST_CASE("every figure of a run is the one that vLLM's own tool makes of the same times") {
  for (auto& golden : *in(serve_golden(), "metrics").as_array()) {
    auto outcomes = outcomes_of(in(golden, "outcomes"));
    const auto percents = numbers(in(golden, "percents"));
    auto m = measure(outcomes, number(in(golden, "duration")), bounds_of(in(golden, "goodput")), percents);
    auto& told = in(golden, "told");
    INFO(outcomes.size() << " requests");
    CHECK(static_cast<double>(m.completed) == number(in(told, "completed")));
    CHECK(static_cast<double>(m.failed) == number(in(told, "failed")));
    CHECK(static_cast<double>(m.input_tokens) == number(in(told, "total_input")));
    CHECK(static_cast<double>(m.output_tokens) == number(in(told, "total_output")));
    CHECK(m.requests_per_second == Approx(number(in(told, "request_throughput"))));
    if (bounds_of(in(golden, "goodput")).any())
      CHECK(m.good_per_second == Approx(number(in(told, "request_goodput"))));
    CHECK(m.output_per_second == Approx(number(in(told, "output_throughput"))));
    CHECK(m.tokens_per_second == Approx(number(in(told, "total_token_throughput"))));
    CHECK(m.most_output_per_second == number(in(told, "max_output_tokens_per_s")));
    // This version of vLLM counts those of whole seconds, which is never fewer than were there at once.
    CHECK(m.most_concurrent <= number(in(told, "max_concurrent_requests")));
    check_distribution(m.ttft, told, "ttft");
    check_distribution(m.tpot, told, "tpot");
    check_distribution(m.itl, told, "itl");
    check_distribution(m.e2el, told, "e2el");
  }
}

TEST_CASE("time spent in the client's queue is told apart from the request") {
  std::vector<request_outcome> two(2);
  for (auto& o : two)
    o.success = true, o.latency = 2, o.ttft = 1, o.output = 1;
  two[1].queue = 3;
  auto m = measure(two, 5, {}, std::vector<double>{100});
  CHECK(m.queue.mean == 1.5);
  CHECK(m.e2el.mean == 2);
  CHECK(m.e2el_with_queue.percentiles.front().second == 5);
}

TEST_CASE("the most requests at once are counted to the instant") {
  auto of = [](double start, double latency) {
    request_outcome o;
    o.success = true, o.start = start, o.latency = latency, o.output = 1;
    return o;
  };
  auto most = [](const std::vector<request_outcome>& all) { return measure(all, 1, {}, {}).most_concurrent; };
  CHECK(most({of(0, 1), of(1, 1), of(2, 1)}) == 1);  // the next begins as one ends
  CHECK(most({of(0, 1), of(0.5, 1), of(0.9, 1), of(1.6, 1)}) == 3);
  CHECK(most({}) == 0);
}
