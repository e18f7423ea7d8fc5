#include "actors/background.hpp"

#include <sched.h>
#include <sys/resource.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <new>
#include <thread>

#include "core/error.hpp"
#include "tests/catch.hpp"

using namespace lorica;
using namespace std::chrono_literals;

namespace {

// Uses no processor until it is stopped.
result<int> waiting(const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any changed;
  std::unique_lock lock(mutex);
  changed.wait(lock, stop, [] { return false; });
  return fail(errc::cancelled, "stopped");
}

result<int> computing(std::chrono::milliseconds time) {
  const auto end = std::chrono::steady_clock::now() + time;
  while (std::chrono::steady_clock::now() < end) {
  }
  return 7;
}

}  // namespace

TEST_CASE("background work settles for its share, and its caller does not") {
  const auto before = std::pair(::sched_getscheduler(0), ::getpriority(PRIO_PROCESS, 0));
  auto seen = [](core_share what) {
    return in_background(what, {}, [](const std::stop_token&) {
      return result(std::pair(::sched_getscheduler(0), ::getpriority(PRIO_PROCESS, 0)));
    });
  };
  auto leftover = seen(core_share::leftover);
  REQUIRE(leftover);
  CHECK(leftover->first == SCHED_IDLE);
  auto some = seen(core_share::some);
  REQUIRE(some);
  CHECK(some->first == before.first);
  CHECK(some->second > before.second);
  auto turns = seen(core_share::turns);
  REQUIRE(turns);
  CHECK(*turns == before);
  CHECK(std::pair(::sched_getscheduler(0), ::getpriority(PRIO_PROCESS, 0)) == before);
}

TEST_CASE("work that gets no processor time is given up") {
  auto starved = in_background(core_share::leftover, {}, 20ms, waiting);
  CHECK_FALSE(starved);
  // What succeeds all the same is not thrown away.
  auto late = in_background(core_share::leftover, {}, 20ms, [](const std::stop_token& stop) -> result<int> {
    static_cast<void>(waiting(stop));
    return 7;
  });
  REQUIRE(late);
  CHECK(**late == 7);
  auto used = in_background(core_share::some, {}, [](const std::stop_token&) { return computing(30ms); });
  REQUIRE(used);
  CHECK(*used == 7);
}

TEST_CASE("the processor time of a thread is told while it lives") {
  std::atomic<bool> done{false};
  std::mutex mutex;
  std::unique_lock hold(mutex);
  std::jthread thread([&] {
    const auto begin = std::chrono::steady_clock::now();
    std::uint64_t sum = 0;
    while (std::chrono::steady_clock::now() < begin + 5ms)
      ++sum;
    done = sum > 0;
    done.notify_one();
    std::lock_guard until(mutex);
  });
  done.wait(false);
  CHECK(processor_time(thread) > 0ns);
  hold.unlock();
}

TEST_CASE("background work ends with what its caller waits for") {
  std::stop_source outer;
  std::jthread ends([&] { outer.request_stop(); });
  auto out = in_background(core_share::leftover, outer.get_token(), 10s, waiting);
  REQUIRE(out);
  CHECK(out->error().code == errc::cancelled);
}

TEST_CASE("what background work throws reaches its caller") {
  CHECK_THROWS_AS(in_background(core_share::some, {},
                                [](const std::stop_token&) -> result<int> { throw std::bad_alloc(); }),
                  std::bad_alloc);
}
