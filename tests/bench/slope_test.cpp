#include "bench/slope.hpp"

#include "tests/catch.hpp"

using lorica::bench::slope_of;

TEST_CASE("points on a line have its slope, wherever it begins") {
  auto slope = slope_of({{1e6, 5 + 2}, {3e6, 5 + 6}, {4e6, 5 + 8}});
  REQUIRE(slope);
  CHECK(*slope == Approx(2e-6));
}

TEST_CASE("the line with the least squares goes between points beside it") {
  auto slope = slope_of({{0, 1}, {1, 0}, {2, 3}, {3, 2}});
  REQUIRE(slope);
  CHECK(*slope == Approx(0.6));
}

TEST_CASE("less than two places have no slope") {
  CHECK_FALSE(slope_of({}));
  CHECK_FALSE(slope_of({{1, 1}}));
  CHECK_FALSE(slope_of({{1, 1}, {1, 9}}));
}
