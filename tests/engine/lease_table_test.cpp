#include "engine/lease_table.hpp"

#include "tests/catch.hpp"
#include "tests/engine/fake_device.hpp"

using namespace lorica;
using lorica::testing::fake_adapter;
using lorica::testing::version_of;

namespace {

lease_table::lease lease_of(std::uint8_t number) {
  return std::make_shared<fake_adapter>(version_of(number));
}

}  // namespace

TEST_CASE("a version is wanted once, whoever else takes it") {
  lease_table t;
  auto& a = t.take(version_of(1));
  auto& again = t.take(version_of(1));
  auto& b = t.take(version_of(2));
  CHECK(&a == &again);
  CHECK(a.serial < b.serial);
  CHECK(t.wanted() == std::vector<adapter_version>{version_of(1), version_of(2)});
  static_cast<void>(t.take(version_of(1)));
  CHECK(t.wanted().empty());
}

TEST_CASE("the last user gets the lease back") {
  lease_table t;
  auto& a = t.take(version_of(1));
  static_cast<void>(t.take(version_of(1)));
  auto lease = lease_of(1);
  CHECK_FALSE(t.grant(version_of(1), lease));
  CHECK_FALSE(t.drop(a));
  CHECK(t.drop(a) == lease);
  CHECK(t.size() == 0);
}

TEST_CASE("who gave up before asking is not asked for") {
  lease_table t;
  CHECK_FALSE(t.drop(t.take(version_of(1))));
  CHECK(t.wanted().empty());
  CHECK(t.size() == 0);
}

TEST_CASE("who gave up after asking leaves a place for the answer, and the next one takes it") {
  lease_table t;
  auto& a = t.take(version_of(1));
  REQUIRE(t.wanted().size() == 1);
  CHECK_FALSE(t.drop(a));
  CHECK(t.find(version_of(1)));
  auto& b = t.take(version_of(1));
  CHECK(t.wanted().empty());
  CHECK_FALSE(t.grant(version_of(1), lease_of(1)));
  CHECK(b.held);
}

TEST_CASE("an answer that nobody waits for is handed back") {
  lease_table t;
  auto lease = lease_of(1);
  CHECK(t.grant(version_of(1), lease) == lease);
  auto& a = t.take(version_of(1));
  REQUIRE(t.wanted().size() == 1);
  CHECK_FALSE(t.drop(a));
  CHECK(t.grant(version_of(1), lease) == lease);
  CHECK(t.size() == 0);
  static_cast<void>(t.take(version_of(1)));
  CHECK_FALSE(t.grant(version_of(1), lease));
  CHECK(t.grant(version_of(1), lease_of(1)));  // the one that is held stays
}

TEST_CASE("a version granted and returned before it was asked for is asked for once when taken again") {
  lease_table t;
  auto& a = t.take(version_of(1));
  CHECK_FALSE(t.grant(version_of(1), lease_of(1)));
  CHECK(t.drop(a));
  static_cast<void>(t.take(version_of(1)));
  CHECK(t.wanted() == std::vector<adapter_version>{version_of(1)});
}

TEST_CASE("a refused version is forgotten and asked for again by the next") {
  lease_table t;
  auto& a = t.take(version_of(1));
  REQUIRE(t.wanted().size() == 1);
  t.forget(version_of(1));
  CHECK(t.find(version_of(1)));  // it still has a user
  CHECK_FALSE(t.drop(a));
  t.forget(version_of(1));
  CHECK_FALSE(t.find(version_of(1)));
  static_cast<void>(t.take(version_of(1)));
  CHECK(t.wanted().size() == 1);
}
