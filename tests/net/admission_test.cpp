#include "net/admission.hpp"

#include <atomic>
#include <thread>
#include <vector>

#include "tests/catch.hpp"

using namespace lorica;
using namespace std::chrono_literals;

TEST_CASE("requests above the limit are refused until a permit goes back") {
  admission gate(2, 100);
  auto first = gate.admit(1);
  auto second = gate.admit(1);
  REQUIRE((first && second));
  auto third = gate.admit(1);
  REQUIRE_FALSE(third);
  CHECK(third.error().code == errc::overloaded);
  second->release();
  CHECK(gate.admitted() == 1);
  CHECK(gate.admit(1));
}

TEST_CASE("prompt bytes above the limit are refused and leave nothing behind") {
  admission gate(10, 100);
  auto first = gate.admit(60);
  REQUIRE(first);
  CHECK_FALSE(gate.admit(41));
  CHECK(gate.admitted() == 1);
  CHECK(gate.admit(40));
}

TEST_CASE("nobody is admitted after drain, and idle means no permit and no activity") {
  admission gate(10, 100);
  auto permit = gate.admit(1);
  auto activity = gate.begin_activity();
  gate.drain();
  auto late = gate.admit(1);
  REQUIRE_FALSE(late);
  CHECK(late.error().code == errc::unavailable);
  CHECK_FALSE(gate.wait_until_idle(0ms));
  permit->release();
  CHECK_FALSE(gate.wait_until_idle(0ms));
  std::thread other([&] { activity.release(); });
  CHECK(gate.wait_until_idle(10s));
  other.join();
  CHECK(gate.active() == 0);
}

TEST_CASE("permits outlive the gate and are counted right from many threads") {
  admission::permit kept;
  {
    admission gate(1000, 1'000'000);
    kept = *gate.admit(1);
    std::vector<std::thread> threads;
    std::atomic<int> refused{0};
    for (int t = 0; t < 4; ++t)
      threads.emplace_back([&] {
        for (int i = 0; i < 10'000; ++i) {
          auto p = gate.admit(7);
          refused += p ? 0 : 1;
        }
      });
    for (auto& t : threads)
      t.join();
    CHECK(refused == 0);
    CHECK(gate.admitted() == 1);
  }
  kept.release();
}
