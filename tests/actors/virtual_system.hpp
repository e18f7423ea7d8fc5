#pragma once

#include <caf/actor_cast.hpp>
#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/atom.hpp>
#include <caf/exit_reason.hpp>
#include <caf/scheduler/test_coordinator.hpp>
#include <caf/send.hpp>
#include <vector>

#include "core/clock.hpp"

namespace lorica::test {

/// Time that moves when it is told to.
class manual_clock final : public clock_source {
 public:
  time_point now() const noexcept override { return now_; }
  void advance(std::chrono::nanoseconds by) { now_ += by; }

 private:
  time_point now_{std::chrono::hours(1)};
};

/// An actor system on the calling thread with its own time.
class virtual_system {
 public:
  virtual_system() : system_(config_) {}
  caf::actor_system& system() { return system_; }

  /// Handles messages until there are none.
  void run() { coordinator().run(); }

  /// Handles so many messages, if there are any.
  void run_some(int messages) {
    while (messages-- > 0 && coordinator().try_run_once()) {
    }
  }

  /// Lets time pass, with everything that falls due.
  void pass(std::chrono::nanoseconds time) {
    run();
    clock.advance(time);
    coordinator().clock().advance_time(time);
    run();
  }

  /// Timers that are set.
  std::size_t timers() { return coordinator().clock().schedule().size(); }

  /// Ends actors; timers that are still set would keep them.
  struct any_actor {
    template <class Handle>
    any_actor(const Handle& h) : pointer(caf::actor_cast<caf::strong_actor_ptr>(h)) {}
    caf::strong_actor_ptr pointer;
  };
  void end(const std::vector<any_actor>& actors) {
    for (auto& actor : actors) {
      caf::anon_send_exit(caf::actor_cast<caf::actor>(actor.pointer), caf::exit_reason::user_shutdown);
      run();
    }
  }

  manual_clock clock;

 private:
  struct testing : caf::actor_system_config {
    testing() { set("scheduler.policy", caf::atom("testing")); }
  };
  caf::scheduler::test_coordinator& coordinator() {
    return dynamic_cast<caf::scheduler::test_coordinator&>(system_.scheduler());
  }

  testing config_;
  caf::actor_system system_;
};

}  // namespace lorica::test
