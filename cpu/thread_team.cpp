#include "cpu/thread_team.hpp"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>

namespace lorica {
namespace {

constexpr auto spin_time = std::chrono::microseconds(50);

void pause_briefly() noexcept {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

/// Waits until `value` is no longer `old`: spins for some microseconds (most barriers are shorter), then
/// sleeps. It does not yield: a yield gives the core to whoever is there for as long as the scheduler likes,
/// to a background thread too, which a sleeper who wakes takes it from at once. Seconds it took, 0 for the
/// shortest waits.
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
  value.wait(old, std::memory_order_acquire);
  return seconds();
}

/// The processors that the process was given.
const cpu_set_t& processors() noexcept {
  static const cpu_set_t all = [] {
    cpu_set_t out;
    CPU_ZERO(&out);
    ::sched_getaffinity(::getpid(), sizeof out, &out);
    return out;
  }();
  return all;
}

/// A place for each of `members` where they are as many as the processors; empty otherwise: other processes
/// would choose the same ones, and the scheduler knows better.
std::vector<int> places_for(unsigned members) {
  std::vector<int> out;
  if (members < 2 || CPU_COUNT(&processors()) != static_cast<int>(members)) return out;
  for (int i = 0; i < CPU_SETSIZE; ++i)
    if (CPU_ISSET(i, &processors())) out.push_back(i);
  return out;
}

/// Keeps the calling thread on one processor; it stays where it is when that is not allowed.
void keep_on(int processor) noexcept {
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(processor, &one);
  ::sched_setaffinity(0, sizeof one, &one);
}

/// The same while it lives; null: nothing.
class kept_on {
 public:
  explicit kept_on(const int* processor) noexcept
      : kept_(processor && ::sched_getaffinity(0, sizeof before_, &before_) == 0) {
    if (kept_) keep_on(*processor);
  }
  ~kept_on() {
    if (kept_) ::sched_setaffinity(0, sizeof before_, &before_);
  }
  kept_on(const kept_on&) = delete;
  kept_on& operator=(const kept_on&) = delete;

 private:
  cpu_set_t before_{};
  bool kept_;
};

}  // namespace

thread_team::thread_team(unsigned members) : seats_(members), places_(places_for(members)) {
  threads_.reserve(members - 1);
  for (unsigned m = 1; m < members; ++m)
    threads_.emplace_back([this, m] { serve(m); });
}

thread_team::~thread_team() {
  ending_ = true;
  for (auto& s : seats_) {
    call(s);
  }
  for (auto& t : threads_)
    t.join();
}

/// Both members of a handshake write, then read what the other wrote: this one the number, then whether
/// somebody sleeps; the sleeper that it sleeps, then the number. Without one order of all four each may miss
/// the other, and the sleeper never wakes: GCC 12's `notify` reads without a fence of its own.
void thread_team::call(seat& member) noexcept {
  member.called.fetch_add(1);
  member.called.notify_one();
}

double thread_team::pass() noexcept {
  // Both are read before arriving: afterwards the others may pass, end the run and begin one of another size.
  const auto active = active_;
  const auto before = passed_.load(std::memory_order_acquire);
  if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 < active) return wait_for_change(passed_, before);
  ++barriers_;
  arrived_.store(0, std::memory_order_relaxed);
  passed_.store(before + 1);  // in the one order of all, as in `call`
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
  const kept_on here(active_ > 1 && !places_.empty() ? &places_[0] : nullptr);
  for (unsigned m = 1; m < active_; ++m) {
    seats_[m].waited = 0;
    call(seats_[m]);
  }
  next.call(next.work, 0);
  pass();
}

void thread_team::serve(unsigned member) noexcept {
  if (!places_.empty()) keep_on(places_[member]);
  for (std::uint32_t runs = 0;; ++runs) {
    wait_for_change(seats_[member].called, runs);
    if (ending_) return;
    job_.call(job_.work, member);
    pass();  // the end of the run: its caller may read `waited` before this returns
  }
}

}  // namespace lorica
