#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <thread>
#include <vector>

namespace lorica {

/// A fixed set of threads that run one function together; the caller is member 0. Members live as long as the
/// team, so a step pays for barriers only. Owned by the executor; `run` is called from one thread at a time.
class thread_team {
 public:
  explicit thread_team(std::uint32_t members);
  ~thread_team();
  thread_team(const thread_team&) = delete;
  thread_team& operator=(const thread_team&) = delete;

  std::uint32_t size() const noexcept { return size_; }

  /// Runs `work(member)` on every member and returns when all are done. `work` must not throw.
  void run(const std::function<void(std::uint32_t member)>& work);

  /// Waits until every member of the current `run` is here. Called by all members, equally often.
  void barrier() noexcept;

 private:
  void live(std::uint32_t member);

  std::uint32_t size_;
  const std::function<void(std::uint32_t)>* work_ = nullptr;  // published by `turn_`
  std::atomic<std::uint32_t> turn_{0};  // grows with each `run`; odd top bit ends the team
  std::atomic<bool> ending_{false};
  alignas(64) std::atomic<std::uint32_t> arrived_{0};
  alignas(64) std::atomic<std::uint32_t> phase_{0};
  std::vector<std::thread> others_;
};

/// The part of `count` items that belongs to one member: [first, last). Parts are contiguous and differ by at
/// most one.
struct team_share {
  std::uint64_t first = 0;
  std::uint64_t last = 0;
};
constexpr team_share share_of(std::uint64_t count, std::uint32_t member, std::uint32_t members) noexcept {
  return {count * member / members, count * (member + 1) / members};
}

}  // namespace lorica
