#pragma once

#include <atomic>
#include <memory>

#include "actors/payloads.hpp"
#include "actors/session_roster.hpp"
#include "core/metrics.hpp"
#include "core/status_snapshot.hpp"

namespace lorica {

/// The latest facts of every part, without a mailbox: each part is stored whole and immutable by the actor
/// that owns it, a snapshot is put together when it is read. All methods from any thread.
class status_board final : public status_service {
 public:
  status_board(metrics& counters, std::shared_ptr<const session_roster> roster);

  std::shared_ptr<const status_snapshot> snapshot() const override;
  std::string metrics_text() const override;

  void update(scheduler_facts_ptr facts) { scheduler_.store(std::move(facts)); }
  void update(adapters_facts_ptr facts) { adapters_.store(std::move(facts)); }
  /// Every start-up adapter is decided.
  void say_ready() noexcept { ready_ = true; }
  void say_draining() noexcept { draining_ = true; }

  /// A part died that cannot be replaced: never healthy again.
  void say_broken() noexcept { broken_ = true; }

 private:
  metrics& counters_;
  metrics::gauge& sessions_;
  std::shared_ptr<const session_roster> roster_;
  std::atomic<scheduler_facts_ptr> scheduler_;
  std::atomic<adapters_facts_ptr> adapters_;
  std::atomic<bool> ready_{false};
  std::atomic<bool> draining_{false};
  std::atomic<bool> broken_{false};
};

}  // namespace lorica
