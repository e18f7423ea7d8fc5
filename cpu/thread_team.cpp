#include "cpu/thread_team.hpp"

#include <sched.h>

#include <chrono>

namespace lorica {
namespace {

constexpr auto spin_time = std::chrono::microseconds(10);
constexpr int yields = 100;

void pause_briefly() noexcept {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

/// Waits until `value` is no longer `old`: spins for some microseconds (most barriers are shorter), gives the
/// core away in turns (the other member may need it), then sleeps.
void wait_for_change(const std::atomic<std::uint32_t>& value, std::uint32_t old) noexcept {
  auto changed = [&] { return value.load(std::memory_order_acquire) != old; };
  for (int i = 0; i < 64; ++i) {
    if (changed()) return;
    pause_briefly();
  }
  auto end = std::chrono::steady_clock::now() + spin_time;
  while (std::chrono::steady_clock::now() < end) {
    if (changed()) return;
    pause_briefly();
  }
  for (int i = 0; i < yields; ++i) {
    if (changed()) return;
    ::sched_yield();
  }
  value.wait(old, std::memory_order_acquire);
}

}  // namespace

thread_team::thread_team(unsigned members) : members_(members) {
  threads_.reserve(members - 1);
  for (unsigned m = 1; m < members; ++m)
    threads_.emplace_back([this, m] { serve(m); });
}

thread_team::~thread_team() {
  ending_ = true;
  barrier();
  for (auto& t : threads_)
    t.join();
}

void thread_team::barrier() noexcept {
  auto before = passed_.load(std::memory_order_acquire);
  if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 < members_) {
    wait_for_change(passed_, before);
    return;
  }
  ++barriers_;
  arrived_.store(0, std::memory_order_relaxed);
  passed_.store(before + 1, std::memory_order_release);
  passed_.notify_all();
}

void thread_team::start(job next) {
  job_ = next;
  barrier();
  next.call(next.work, 0);
  barrier();
}

void thread_team::serve(unsigned member) noexcept {
  for (;;) {
    barrier();
    if (ending_) return;
    job_.call(job_.work, member);
    barrier();
  }
}

}  // namespace lorica
