#include "core/checked.hpp"

#include "tests/catch.hpp"

using namespace lorica;

TEST_CASE("checked arithmetic says nothing instead of wrapping") {
  constexpr auto top = std::numeric_limits<std::uint64_t>::max();
  CHECK(checked_add<std::uint64_t>(top, 0) == top);
  CHECK_FALSE(checked_add<std::uint64_t>(top, 1));
  CHECK(checked_mul<std::uint64_t>(1ull << 32, 1ull << 31) == 1ull << 63);
  CHECK_FALSE(checked_mul<std::uint64_t>(1ull << 32, 1ull << 32));
  CHECK(checked_cast<std::uint8_t>(255) == 255);
  CHECK_FALSE(checked_cast<std::uint8_t>(256));
  CHECK_FALSE(checked_cast<std::uint32_t>(-1));
  CHECK(checked_align(33, 32) == 64u);
  CHECK_FALSE(checked_align(top, 32));
}
