#pragma once

#include <caf/actor_addr.hpp>
#include <chrono>
#include <cstdint>

#include "actors/adapter_world.hpp"

namespace lorica {

/// No adapter waits for ever because others are always in use: when one has waited for room for so long, the
/// scheduler is asked to let an adapter in memory drain, and after some time more to let it give way. A plain
/// class, owned by `adapters`, on whose thread everything is called.
class starvation_guard {
 public:
  /// `patience` 0: never.
  starvation_guard(adapter_world& world, std::chrono::milliseconds patience)
      : world_(world), patience_(patience) {}

  /// `scheduler` asked for a lease.
  void asked(const caf::actor_addr& scheduler);

  /// True when the timer was one of its own.
  bool expire(std::uint64_t timer);

 private:
  void look();

  adapter_world& world_;
  std::chrono::milliseconds patience_;
  caf::actor_addr scheduler_;  // no reference: it holds one of this actor
  std::uint64_t timer_ = 0;    // 0: none runs
  bool draining_ = false;
};

}  // namespace lorica
