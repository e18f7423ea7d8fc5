#pragma once

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

namespace lorica {

/// A half-open range of things to do.
struct share {
  std::uint32_t first = 0;
  std::uint32_t last = 0;
};

/// The part of `count` things that member `member` of `members` does: contiguous, sizes differ by one at
/// most.
constexpr share share_of(std::uint32_t count, std::uint32_t member, std::uint32_t members) noexcept {
  auto wide = std::uint64_t{count};
  return {static_cast<std::uint32_t>(wide * member / members),
          static_cast<std::uint32_t>(wide * (member + 1) / members)};
}

/// A persistent team of threads that run one function together; the caller of `run` is member 0. Owned by one
/// executor; ends with it. Waits are short spins, then sleep: a neighbour on one of the cores costs its share
/// of time, not a collapse. A team with as many members as the process has processors keeps each on its own
/// during a run: beside a background thread the scheduler would put two on one core.
class thread_team {
 public:
  /// Starts `members` - 1 threads; `members` >= 1.
  explicit thread_team(unsigned members);
  thread_team(const thread_team&) = delete;
  thread_team& operator=(const thread_team&) = delete;
  ~thread_team();

  unsigned members() const noexcept { return static_cast<unsigned>(seats_.size()); }

  /// Members that take part in this `run`.
  unsigned active() const noexcept { return active_; }

  /// Calls `work(member)` on members [0, active) and returns when all are done; the others sleep on. One
  /// caller at a time, not from inside. `work` must not throw: members would wait at a barrier for the one
  /// that left.
  template <class Work>
  void run(unsigned active, const Work& work) {
    start(active, {&work, [](const void* w, unsigned member) { (*static_cast<const Work*>(w))(member); }});
  }

  /// `run` with all members.
  template <class Work>
  void run(const Work& work) {
    run(members(), work);
  }

  /// Inside `run`, by `member`: returns when every active member has called it. What was written before it is
  /// visible after it.
  void barrier(unsigned member) noexcept;

  /// Barriers passed since the start, the one at the end of each `run` included.
  std::uint64_t barriers() const noexcept { return barriers_; }

  /// Seconds that the member who waited most waited at barriers inside the last `run`.
  double waited() const noexcept;

 private:
  struct job {
    const void* work = nullptr;
    void (*call)(const void*, unsigned) = nullptr;
  };

  /// A member's own cache line.
  struct alignas(64) seat {
    std::atomic<std::uint32_t> called{0};  // runs that this member was called to
    double waited = 0;                     // seconds, written by the member during a run
  };

  static void call(seat& member) noexcept;
  double pass() noexcept;
  void start(unsigned active, job next);
  void serve(unsigned member) noexcept;

  // Written by member 0 before it calls the members that will read them.
  job job_;
  unsigned active_ = 1;
  bool ending_ = false;
  std::uint64_t barriers_ = 0;  // written by the last to arrive only
  std::vector<seat> seats_;
  std::vector<int> places_;  // the processor of each member, or empty
  alignas(64) std::atomic<std::uint32_t> arrived_{0};
  alignas(64) std::atomic<std::uint32_t> passed_{0};
  std::vector<std::thread> threads_;
};

}  // namespace lorica
