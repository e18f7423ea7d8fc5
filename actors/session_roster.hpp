#pragma once

#include <atomic>
#include <caf/actor_control_block.hpp>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <vector>

#include "actors/protocol.hpp"

namespace lorica {

/// Who is running: counts the sessions, refuses new ones, ends all of them. Held by the gateway; its methods
/// may be called from any thread. Keeps no session alive.
class session_roster : public std::enable_shared_from_this<session_roster> {
 public:
  /// A session's place; given back by the destructor.
  class place {
   public:
    place(std::shared_ptr<session_roster> roster, std::uint64_t id) : roster_(std::move(roster)), id_(id) {}
    place(const place&) = delete;
    place& operator=(const place&) = delete;
    ~place() { roster_->leave(id_); }
    std::uint64_t id() const noexcept { return id_; }

   private:
    std::shared_ptr<session_roster> roster_;
    std::uint64_t id_;
  };

  /// A place for a session that is about to be spawned; null once `close` was called.
  std::shared_ptr<const place> enter();

  /// Says which actor has the place. A session that comes too late for `end_all` gets its message here.
  void attach(std::uint64_t id, const session_actor& session);

  /// No place is given any more.
  void close();

  /// Closes and sends `why` to every session.
  void end_all(error_ptr why);

  /// Waits until nobody is left, at most `limit` and not after `stop`; true when nobody is.
  bool wait_empty(std::chrono::milliseconds limit, std::stop_token stop = {});

  /// Sessions that are still there, for the terminator.
  std::vector<caf::strong_actor_ptr> remaining();

  std::uint64_t size() const noexcept { return size_.load(std::memory_order_relaxed); }

 private:
  void leave(std::uint64_t id);

  std::mutex mutex_;  // guards everything but size_: io threads enter, sessions leave on actor threads
  std::condition_variable_any left_;
  std::map<std::uint64_t, caf::weak_actor_ptr> sessions_;
  std::uint64_t next_ = 0;
  bool closed_ = false;
  error_ptr ended_;
  std::atomic<std::uint64_t> size_{0};
};

}  // namespace lorica
