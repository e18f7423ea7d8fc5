#include "core/shortest.hpp"

#include "tests/catch.hpp"

using namespace lorica;

TEST_CASE("a float prints as its own shortest decimal") {
  CHECK(shortest(-0.4f) == -0.4);
  CHECK(shortest(0.1f) == 0.1);
  CHECK(shortest(-12.25f) == -12.25);
}
