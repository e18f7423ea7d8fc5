#include "engine/ledger.hpp"

#include <limits>

#include "tests/catch.hpp"

using namespace lorica;

TEST_CASE("what is reserved is used until it is released") {
  auto l = ledger::partition(1000, {500, 200, 200, 50, 50});
  REQUIRE(l);
  CHECK(l->reserve(memory_part::adapters, "a", 120));
  CHECK(l->reserve(memory_part::adapters, "b", 80));
  CHECK(l->reserve(memory_part::kv, "a", 200));
  CHECK(l->free(memory_part::adapters) == 0);
  CHECK(l->used() == 400);
  CHECK(l->release(memory_part::adapters, "a") == 120);
  CHECK(l->release(memory_part::adapters, "a") == 0);
  CHECK(l->used(memory_part::adapters) == 80);
  CHECK(l->used(memory_part::kv) == 200);
}

TEST_CASE("a refusal names the part and the numbers and changes nothing") {
  auto l = ledger::partition(1000, {500, 200, 200, 50, 50});
  REQUIRE(l);
  REQUIRE(l->reserve(memory_part::adapters, "a", 150));
  auto refused = l->reserve(memory_part::adapters, "b", 51);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == errc::out_of_memory);
  CHECK(refused.error().text == "adapters: 'b' needs 51 bytes; 50 of 200 are free");
  CHECK_FALSE(l->reserve(memory_part::adapters, "huge", std::numeric_limits<std::uint64_t>::max()));
  CHECK(l->reserve(memory_part::adapters, "a", 1).error().code == errc::internal);
  CHECK(l->used() == 150);
}

TEST_CASE("parts that exceed the whole are refused, also when their sum wraps") {
  CHECK(ledger::partition(1000, {500, 200, 200, 50, 50}));
  auto over = ledger::partition(1000, {500, 200, 200, 50, 51});
  REQUIRE_FALSE(over);
  CHECK(over.error().text == "caches: 51 bytes do not fit; 50 of 1000 are left");
  CHECK_FALSE(ledger::partition(std::numeric_limits<std::uint64_t>::max(),
                                {std::numeric_limits<std::uint64_t>::max(), 1, 0, 0, 0}));
}
