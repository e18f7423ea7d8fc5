#include "cpu/thread_team.hpp"

#include <chrono>

namespace lorica {
namespace {

// Long enough for the gaps inside a step, short enough not to burn a core that somebody else needs.
constexpr int spins = 4000;
constexpr int yields = 50;

void relax() noexcept {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

// Waits until `value` differs from `old`: spins, then yields, then sleeps in the kernel.
void wait_for_change(const std::atomic<std::uint32_t>& value, std::uint32_t old) noexcept {
  for (int i = 0; i < spins; ++i) {
    if (value.load(std::memory_order_acquire) != old) return;
    relax();
  }
  for (int i = 0; i < yields; ++i) {
    if (value.load(std::memory_order_acquire) != old) return;
    std::this_thread::yield();
  }
  value.wait(old, std::memory_order_acquire);
}

}  // namespace

thread_team::thread_team(std::uint32_t members) : size_(members == 0 ? 1 : members) {
  for (std::uint32_t m = 1; m < size_; ++m)
    others_.emplace_back([this, m] { live(m); });
}

thread_team::~thread_team() {
  ending_ = true;
  turn_.fetch_add(1, std::memory_order_release);
  turn_.notify_all();
  for (auto& t : others_)
    t.join();
}

void thread_team::live(std::uint32_t member) {
  std::uint32_t seen = 0;
  while (true) {
    wait_for_change(turn_, seen);
    ++seen;
    if (ending_) return;
    (*work_)(member);
    barrier();
  }
}

void thread_team::run(const std::function<void(std::uint32_t)>& work) {
  if (size_ == 1) return work(0);
  work_ = &work;
  turn_.fetch_add(1, std::memory_order_release);
  turn_.notify_all();
  work(0);
  barrier();
}

void thread_team::barrier() noexcept {
  if (size_ == 1) return;
  auto phase = phase_.load(std::memory_order_acquire);
  if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == size_) {
    arrived_.store(0, std::memory_order_relaxed);
    phase_.fetch_add(1, std::memory_order_release);
    phase_.notify_all();
    return;
  }
  wait_for_change(phase_, phase);
}

}  // namespace lorica
