#include "actors/status_board.hpp"

#include <utility>

#include "actors/vllm_series.hpp"

namespace lorica {

status_board::status_board(metrics& counters, std::shared_ptr<const session_roster> roster)
    : counters_(counters),
      sessions_(counters.make_gauge("lorica_sessions", "Requests inside the server.")),
      roster_(std::move(roster)),
      scheduler_(std::make_shared<const scheduler_facts>()),
      adapters_(std::make_shared<const adapters_facts>()) {}

std::shared_ptr<const status_snapshot> status_board::snapshot() const {
  auto scheduler = scheduler_.load();
  auto adapters = adapters_.load();
  auto out = std::make_shared<status_snapshot>();
  out->ready = ready_;
  out->healthy = scheduler->healthy && !broken_;
  out->draining = draining_;
  out->running_sequences = scheduler->running;
  out->waiting_sequences = scheduler->waiting;
  out->kv_blocks_used = scheduler->blocks_used;
  out->kv_blocks_total = scheduler->blocks_total;
  out->steps = scheduler->steps;
  out->preemptions = scheduler->preemptions;
  out->leases = adapters->leases;
  out->sessions = roster_->size();
  out->adapters = adapters->adapters;
  return out;
}

std::string status_board::metrics_text() const {
  sessions_.set(static_cast<double>(roster_->size()));
  return counters_.text() + vllm_series(*scheduler_.load(), *adapters_.load());
}

}  // namespace lorica
