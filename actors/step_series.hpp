#pragma once

#include <cstdint>

#include "actors/payloads.hpp"
#include "core/metrics.hpp"

namespace lorica {

/// The series about steps, queues, KV blocks and adapters. Owned by `telemetry`; facts come in order.
class step_series {
 public:
  explicit step_series(metrics& counters);
  void count(const scheduler_facts& facts);
  void count(const adapters_facts& facts);

 private:
  metrics::gauge &running_, &waiting_, &blocks_used_, &blocks_total_, &leases_, &resident_, &resident_bytes_,
      &budget_bytes_, &registered_;
  metrics::gauge &tgi_queue_, &tgi_batch_, &clients_, &gap_, &gap_bound_, &price_error_;
  metrics::counter &steps_, &failures_, &preemptions_, &evictions_, &loads_, &failed_loads_, &prefix_queries_,
      &prefix_hits_, &yields_, &rests_, &apart_, &ahead_;
  metrics::histogram &seconds_, &rows_, &adapters_, &load_seconds_;
  std::uint64_t seen_steps_ = 0;
  std::uint64_t seen_preemptions_ = 0;
  std::uint64_t seen_evictions_ = 0;
  std::uint64_t seen_queries_ = 0;
  std::uint64_t seen_hits_ = 0;
  std::uint64_t seen_yields_ = 0;
  std::uint64_t seen_rests_ = 0;
  std::uint64_t seen_apart_ = 0;
  std::uint64_t seen_ahead_ = 0;
};

}  // namespace lorica
