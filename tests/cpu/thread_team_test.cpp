#include "cpu/thread_team.hpp"

#include <sched.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <random>
#include <set>
#include <thread>
#include <vector>

#include "tests/catch.hpp"

using namespace lorica;

TEST_CASE("shares cover everything once and differ by one at most") {
  for (std::uint32_t count : {0u, 1u, 2u, 7u, 30u, 1536u, 4'294'967'295u})
    for (std::uint32_t members : {1u, 2u, 3u, 7u, 64u}) {
      std::uint32_t next = 0;
      for (std::uint32_t m = 0; m < members; ++m) {
        auto s = share_of(count, m, members);
        CHECK(s.first == next);
        CHECK(s.last - s.first >= count / members);
        CHECK(s.last - s.first <= (std::uint64_t{count} + members - 1) / members);
        next = s.last;
      }
      CHECK(next == count);
    }
}

TEST_CASE("every member runs the work, and barriers order what they write") {
  auto members = GENERATE(1u, 2u, 3u, 5u);
  thread_team team(members);
  std::vector<std::uint32_t> written(members);
  std::atomic<std::uint32_t> wrong{0};
  constexpr std::uint32_t rounds = 200;
  for (std::uint32_t run = 0; run < 5; ++run)
    team.run([&](unsigned member) {
      for (std::uint32_t round = 1; round <= rounds; ++round) {
        written[member] = run * rounds + round;
        team.barrier(member);
        for (auto w : written)
          if (w != run * rounds + round) ++wrong;
        team.barrier(member);
      }
    });
  CHECK(wrong == 0);
}

TEST_CASE("member 0 is the thread that calls, and barriers are counted") {
  thread_team team(2);
  std::thread::id first;
  auto before = team.barriers();
  team.run([&](unsigned member) {
    if (member == 0) first = std::this_thread::get_id();
    team.barrier(member);
  });
  CHECK(first == std::this_thread::get_id());
  CHECK(team.barriers() - before == 2);
}

TEST_CASE("a team that slept wakes up, and one that never ran ends") {
  { thread_team unused(4); }
  thread_team team(3);
  std::atomic<unsigned> ran{0};
  for (int i = 0; i < 3; ++i) {
    // Long enough for spins to be used up: the members wait in the kernel.
    for (int turn = 0; turn < 2000; ++turn)
      std::this_thread::yield();
    team.run([&](unsigned) { ++ran; });
  }
  CHECK(ran == 9);
}

TEST_CASE("a member that falls asleep just when the other arrives is woken") {
  // The moment is short: a long run (LORICA_SOAK) has more of them.
  const std::uint32_t rounds = std::getenv("LORICA_SOAK") ? 2'000'000 : 40'000;
  constexpr auto before_sleep = std::chrono::microseconds(48);
  thread_team team(2);
  std::atomic<std::uint32_t> passed{0};
  team.run([&](unsigned member) {
    std::minstd_rand random(member + 1);
    for (std::uint32_t i = 0; i < rounds; ++i) {
      if (i % 2 == member) {
        const auto end =
            std::chrono::steady_clock::now() + before_sleep + std::chrono::nanoseconds(random() % 6000);
        while (std::chrono::steady_clock::now() < end) {
        }
      }
      team.barrier(member);
    }
    ++passed;
  });
  CHECK(passed == 2);
}

TEST_CASE("a team as large as the machine keeps its members apart, and its caller only meanwhile") {
  cpu_set_t before;
  REQUIRE(::sched_getaffinity(0, sizeof before, &before) == 0);
  const auto members = static_cast<unsigned>(CPU_COUNT(&before));
  thread_team team(members);
  std::vector<int> at(members);
  std::vector<int> allowed(members);  // processors that it may run on
  for (int run = 0; run < 20; ++run) {
    team.run([&](unsigned member) {
      team.barrier(member);
      at[member] = ::sched_getcpu();
      cpu_set_t mine;
      allowed[member] = ::sched_getaffinity(0, sizeof mine, &mine) == 0 ? CPU_COUNT(&mine) : 0;
    });
    CHECK(std::set<int>(at.begin(), at.end()).size() == members);
    CHECK(allowed == std::vector<int>(members, 1));
  }
  cpu_set_t after;
  REQUIRE(::sched_getaffinity(0, sizeof after, &after) == 0);
  CHECK(CPU_EQUAL(&before, &after));
}

TEST_CASE("members that are not active stay out, and come back when they are called") {
  thread_team team(4);
  for (unsigned active : {4u, 1u, 2u, 4u, 3u, 1u, 4u}) {
    std::vector<unsigned> ran(4);
    for (int i = 0; i < 50; ++i)
      team.run(active, [&](unsigned member) {
        ++ran[member];
        team.barrier(member);
        ++ran[member];
      });
    CHECK(team.active() == active);
    for (unsigned m = 0; m < 4; ++m)
      CHECK(ran[m] == (m < active ? 100u : 0u));
  }
}

TEST_CASE("the time that a member waits for another is told") {
  thread_team team(2);
  std::atomic<bool> here{false};
  team.run([&](unsigned member) {
    if (member == 1) here = true;
    if (member == 0) {
      while (!here)
        std::this_thread::yield();
      auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(5);
      while (std::chrono::steady_clock::now() < end)
        std::this_thread::yield();
    }
    team.barrier(member);
  });
  CHECK(team.waited() > 0.0);
  team.run(1, [&](unsigned member) { team.barrier(member); });
  CHECK(team.waited() == 0.0);
}
