#include "cpu/team_size.hpp"

#include "tests/catch.hpp"

using namespace lorica;

namespace {

void steps(team_size& t, std::uint32_t count, double waiting) {
  for (std::uint32_t i = 0; i < count; ++i)
    t.step_done(1.0, waiting);
}

}  // namespace

TEST_CASE("a team that waits too much goes on with one fewer, and is tried again later") {
  team_size t(2);
  steps(t, 100, 0.1);
  CHECK(t.active() == 2);
  steps(t, 2 * team_size::watched, 0.9);
  CHECK(t.active() == 1);
  steps(t, team_size::shortest_while, 0.0);
  CHECK(t.active() == 2);
}

TEST_CASE("a neighbour that stays is asked after ever more seldom, up to a bound") {
  team_size t(2);
  std::uint32_t tried = 0;
  constexpr std::uint32_t all = 20'000;
  for (std::uint32_t i = 0; i < all; ++i) {
    if (t.active() == 2) ++tried;
    t.step_done(1.0, t.active() == 2 ? 0.8 : 0.0);
  }
  CHECK(tried < all / 50);
  CHECK(tried > all / team_size::longest_while);
}

TEST_CASE("a team of one stays, and one bad step alone changes nothing") {
  team_size one(1);
  steps(one, 100, 1.0);
  CHECK(one.active() == 1);
  team_size t(2);
  for (int i = 0; i < 50; ++i) {
    t.step_done(1.0, 1.0);
    steps(t, team_size::watched - 1, 0.0);
    CHECK(t.active() == 2);
  }
}

TEST_CASE("a core that was gone for one step, which took long for that, changes nothing") {
  team_size t(2);
  for (int i = 0; i < 50; ++i) {
    t.step_done(10.0, 9.5);
    steps(t, team_size::watched - 1, 0.1);
    CHECK(t.active() == 2);
  }
  t.step_done(10.0, 9.5);
  steps(t, team_size::watched - 1, 0.5);  // the others waited too
  CHECK(t.active() == 1);
}

TEST_CASE("what short steps waited does not hold for many long ones") {
  team_size t(2);
  steps(t, team_size::watched, 0.9);
  REQUIRE(t.active() == 1);
  std::uint32_t long_steps = 0;
  for (; t.active() == 1; ++long_steps)
    t.step_done(10.0, 0.0);
  // Four times the eight seconds that were watched.
  CHECK(long_steps == 4);
}

TEST_CASE("a team that was disturbed before is watched for fewer steps, and is trusted again after them") {
  team_size t(2);
  steps(t, team_size::watched, 0.9);
  steps(t, team_size::shortest_while, 0.0);
  REQUIRE(t.active() == 2);
  steps(t, team_size::watched_again - 1, 0.9);
  CHECK(t.active() == 2);
  t.step_done(1.0, 0.9);
  CHECK(t.active() == 1);
  steps(t, 2 * team_size::shortest_while, 0.0);
  t.step_done(10.0, 9.5);  // one step alone says nothing
  steps(t, team_size::watched_again - 1, 0.1);
  CHECK(t.active() == 2);
  steps(t, team_size::watched - 1, 0.9);
  CHECK(t.active() == 2);
  t.step_done(1.0, 0.9);
  CHECK(t.active() == 1);
}
