#include "cpu/thread_team.hpp"

#include <sched.h>

#include <algorithm>
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
/// core away in turns (the other member may need it), then sleeps. Seconds it took, 0 for the shortest waits.
double wait_for_change(const std::atomic<std::uint32_t>& value, std::uint32_t old) noexcept {
  using clock = std::chrono::steady_clock;
  auto changed = [&] { return value.load(std::memory_order_acquire) != old; };
  for (int i = 0; i < 64; ++i) {
    if (changed()) return 0;
    pause_briefly();
  }
  const auto start = clock::now();
  auto seconds = [start] { return std::chrono::duration<double>(clock::now() - start).count(); };
  while (clock::now() < start + spin_time) {
    if (changed()) return seconds();
    pause_briefly();
  }
  for (int i = 0; i < yields; ++i) {
    if (changed()) return seconds();
    ::sched_yield();
  }
  value.wait(old, std::memory_order_acquire);
  return seconds();
}

}  // namespace

thread_team::thread_team(unsigned members) : seats_(members) {
  threads_.reserve(members - 1);
  for (unsigned m = 1; m < members; ++m)
    threads_.emplace_back([this, m] { serve(m); });
}

thread_team::~thread_team() {
  ending_ = true;
  for (auto& s : seats_) {
    s.called.fetch_add(1, std::memory_order_release);
    s.called.notify_one();
  }
  for (auto& t : threads_)
    t.join();
}

double thread_team::pass() noexcept {
  // Both are read before arriving: afterwards the others may pass, end the run and begin one of another size.
  const auto active = active_;
  const auto before = passed_.load(std::memory_order_acquire);
  if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 < active) return wait_for_change(passed_, before);
  ++barriers_;
  arrived_.store(0, std::memory_order_relaxed);
  passed_.store(before + 1, std::memory_order_release);
  passed_.notify_all();
  return 0;
}

void thread_team::barrier(unsigned member) noexcept {
  seats_[member].waited += pass();
}

double thread_team::waited() const noexcept {
  double out = 0;
  for (unsigned m = 0; m < active_; ++m)
    out = std::max(out, seats_[m].waited);
  return out;
}

void thread_team::start(unsigned active, job next) {
  job_ = next;
  active_ = std::clamp(active, 1u, members());
  seats_[0].waited = 0;
  for (unsigned m = 1; m < active_; ++m) {
    seats_[m].waited = 0;
    seats_[m].called.fetch_add(1, std::memory_order_release);
    seats_[m].called.notify_one();
  }
  next.call(next.work, 0);
  pass();
}

void thread_team::serve(unsigned member) noexcept {
  for (std::uint32_t runs = 0;; ++runs) {
    wait_for_change(seats_[member].called, runs);
    if (ending_) return;
    job_.call(job_.work, member);
    pass();  // the end of the run: its caller may read `waited` before this returns
  }
}

}  // namespace lorica
