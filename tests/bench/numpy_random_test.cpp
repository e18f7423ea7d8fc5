#include "bench/numpy_random.hpp"

#include <cmath>

#include "tests/bench/golden_file.hpp"
#include "tests/catch.hpp"

using namespace lorica;
using namespace lorica::bench;
using namespace lorica::testing;

namespace {

double draw(numpy_random& random, const std::string& kind) {
  if (kind == "uniform") return random.uniform();
  if (kind == "normal") return random.normal();
  if (kind == "power") return random.power(0.3);
  if (kind == "gamma 0.0625") return random.gamma(0.0625, 2.0);
  if (kind == "gamma 1") return random.gamma(1.0, 0.5);
  if (kind == "gamma 4") return random.gamma(4.0, 0.25);
  if (kind == "whole 8 511") return random.whole(8, 511);
  REQUIRE(kind == "whole 3 3");
  return random.whole(3, 3);
}

}  // namespace

TEST_CASE("every kind of draw is numpy's, number for number") {
  for (auto& golden : *in(serve_golden(), "draws").as_array()) {
    auto& kind = *in(golden, "kind").as_string();
    numpy_random random(static_cast<std::uint32_t>(number(in(golden, "seed"))));
    INFO(kind << ", seed " << number(in(golden, "seed")));
    for (auto expected : numbers(in(golden, "values"))) {
      // The last bits are the mathematical library's.
      const double drawn = draw(random, kind);
      CHECK(std::abs(drawn - expected) <= 1e-13 * std::abs(expected));
    }
  }
}
