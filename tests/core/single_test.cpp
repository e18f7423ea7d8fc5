#include "core/single.hpp"

#include "core/value.hpp"
#include "tests/catch.hpp"

using namespace lorica;

TEST_CASE("numbers become the nearest of single precision") {
  for (double x : {0.0, 1.0, -2.0, 0.5, 16777216.0, 3.4028234663852886e38, 1.401298464324817e-45})
    CHECK(single(x) == static_cast<float>(x));
  for (double x : {0.1, 0.7, 0.9, 1.3, -0.3, 1e-40, 12345.678})
    CHECK(single(x) == static_cast<float>(x));
}

TEST_CASE("no number becomes a whole one that it is not, so ranges hold as they are written") {
  CHECK(*single(5e-324) > 0);
  CHECK(*single(-5e-324) < 0);
  CHECK(*single(0.9999999999999999) < 1);
  CHECK(*single(1.0000000000000002) > 1);
  CHECK(*single(-1.0000000000000002) < -1);
  CHECK(*single(2.0000000000000004) > 2);
  CHECK(*single(99.99999999999999) < 100);
}

TEST_CASE("a number beyond single precision has none") {
  CHECK_FALSE(single(3.402823466385289e38));
  CHECK_FALSE(single(-1e300));
  CHECK_FALSE(single(std::numeric_limits<double>::quiet_NaN()));
}

TEST_CASE("a whole number is one however it is written") {
  CHECK(value(5.0).whole() == 5);
  CHECK(value(-9223372036854774784.0).whole() == -9223372036854774784);
  CHECK_FALSE(value(-9223372036854775808.0).whole());
  CHECK_FALSE(value(9223372036854775808.0).whole());
  CHECK_FALSE(value(5.5).whole());
  CHECK_FALSE(value(true).whole());
  CHECK(value(9223372036854775808.0).unsigned_whole() == 9223372036854775808u);
  CHECK(value(std::uint64_t{18446744073709551615u}).unsigned_whole() == 18446744073709551615u);
  CHECK_FALSE(value(18446744073709551616.0).unsigned_whole());
  CHECK_FALSE(value(-1.0).unsigned_whole());
  CHECK_FALSE(value(0.5).unsigned_whole());
}
