#include "bench/zipf.hpp"

#include <numeric>

#include "tests/catch.hpp"

using lorica::bench::zipf;

TEST_CASE("with exponent 1 the shares are 1, 1/2, 1/3 of the first's") {
  const zipf law(3, 1.0);  // sum 11/6: 6/11, 3/11, 2/11
  CHECK(law.at(0.0) == 0);
  CHECK(law.at(6.0 / 11 - 1e-9) == 0);
  CHECK(law.at(6.0 / 11 + 1e-9) == 1);
  CHECK(law.at(9.0 / 11 + 1e-9) == 2);
  CHECK(law.at(0.999999999) == 2);
}

TEST_CASE("with exponent 0 all are alike, and one thing is always drawn") {
  const zipf alike(4, 0.0);
  CHECK(alike.at(0.249) == 0);
  CHECK(alike.at(0.251) == 1);
  CHECK(alike.at(0.751) == 3);
  CHECK(zipf(1, 1.0).at(0.999) == 0);
}
