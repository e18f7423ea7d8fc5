#pragma once

#include <atomic>
#include <functional>
#include <thread>

namespace lorica {

/// Blocks SIGTERM and SIGINT in this thread and all that it starts, and ignores SIGPIPE. Call before any
/// other thread exists.
void block_stop_signals();

/// The same for SIGHUP, which ends a process that does not listen to it.
void block_hangup();

/// Waits for the blocked signals on a thread of its own while it lives.
class stop_listener {
 public:
  /// `on_signal` runs on the waiting thread, once per signal, with its count from 1; `on_hangup` for each
  /// SIGHUP, if that is blocked.
  explicit stop_listener(std::function<void(int count)> on_signal, std::function<void()> on_hangup = {});

  /// Joins; `on_signal` is not called afterwards.
  ~stop_listener();
  stop_listener(const stop_listener&) = delete;
  stop_listener& operator=(const stop_listener&) = delete;

 private:
  std::atomic<bool> ended_{false};
  std::thread waiting_;
};

}  // namespace lorica
