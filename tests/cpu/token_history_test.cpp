#include "cpu/token_history.hpp"

#include <algorithm>
#include <vector>

#include "tests/catch.hpp"

using namespace lorica;

TEST_CASE("slots keep their tokens apart, up to their last position") {
  constexpr std::uint32_t positions = 1000;
  auto history = token_history::allocate(3, positions);
  REQUIRE(history);
  CHECK(history->bytes() >= 3 * positions * sizeof(token_id));
  for (std::uint32_t slot = 0; slot < 3; ++slot)
    history->write(slot, 0, std::vector<token_id>(positions, static_cast<token_id>(slot + 1)));
  history->write(1, 990, std::vector<token_id>(10, 9));
  history->sampled(1, 7);
  for (std::uint32_t slot : {0u, 2u}) {
    CHECK(history->tokens(slot).size() == positions);
    CHECK(std::ranges::count(history->tokens(slot), static_cast<token_id>(slot + 1)) == positions);
    CHECK_FALSE(history->last_sampled(slot));
  }
  CHECK(std::ranges::count(history->tokens(1), 2) == 990);
  CHECK(history->last_sampled(1) == 7);
  history->write(1, 0, std::vector<token_id>{4, 5});
  CHECK(history->seen(1) == 2);
  CHECK(std::ranges::equal(history->tokens(1), std::vector<token_id>{4, 5}));
  CHECK_FALSE(history->last_sampled(1));
}

TEST_CASE("more tokens than can be mapped are refused") {
  auto history = token_history::allocate(~0u, ~0u);
  REQUIRE_FALSE(history);
  CHECK(history.error().code == errc::out_of_memory);
}
