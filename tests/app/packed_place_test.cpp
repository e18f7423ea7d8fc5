#include "app/packed_place.hpp"

#include "tests/catch.hpp"

using namespace lorica;

TEST_CASE("packed weights lie where the setting says, else in the user's cache, else nowhere") {
  const cache_places both = {"/caches", "/home/me"};
  CHECK(packed_place("/chosen", both) == "/chosen");
  CHECK(packed_place("near", both) == "near");
  CHECK(packed_place("", both) == "/caches/lorica/packed");
  CHECK(packed_place("", {"", "/home/me"}) == "/home/me/.cache/lorica/packed");
  CHECK(packed_place("", {"relative", "/home/me"}) == "/home/me/.cache/lorica/packed");
  CHECK(packed_place("", {"", "relative"}).empty());
  CHECK(packed_place("", {}).empty());
  CHECK(packed_place("off", both).empty());
}
