#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <queue>
#include <vector>

#include "bench/traffic.hpp"
#include "engine/planner.hpp"

namespace lorica::bench {

/// What stands for the machine: seconds that a step takes, and that an adapter takes to come into memory.
struct virtual_machine {
  std::function<double(const step_load&)> step_seconds;
  std::uint64_t adapter_bytes = 9'800'000;  ///< of each adapter
  double adapter_seconds = 0;               ///< from the wish for a lease to the lease
};

/// One request that arrives.
struct request_arrival {
  double at = 0;              ///< seconds from the beginning
  std::uint32_t adapter = 0;  ///< 0: the base
  std::uint32_t prompt = 1;   ///< tokens
  std::uint32_t output = 1;   ///< tokens
};

/// Generated traffic as it arrives.
std::vector<request_arrival> arrivals_of(const std::vector<planned_request>& traffic);

/// A request as it went.
struct served_request {
  request_arrival asked;
  double first = 0;    ///< seconds at which the first token was there
  double last = 0;     ///< and the last one
  double longest = 0;  ///< between two tokens
  std::uint32_t tokens = 0;
};

/// One step as it went.
struct served_step {
  double at = 0;  ///< seconds at which it began
  double seconds = 0;
  std::uint32_t decode_rows = 0;
  std::uint32_t prefill_rows = 0;
  std::uint32_t adapters = 0;
};

/// The planner driven by arrivals in virtual time: a step takes what the machine says, tokens are made up,
/// every prompt is of other tokens. Deterministic. Adapter 0 is the base.
class virtual_server {
 public:
  virtual_server(planner_options options, virtual_machine machine);

  /// Serves these arrivals, which come in order of time and not before what was served already, until time
  /// `until` (infinite: until all are served).
  void serve(const std::vector<request_arrival>& arrivals, double until);

  double now() const noexcept { return now_; }
  const planner& plan() const noexcept { return plan_; }

  const std::vector<served_request>& requests() const noexcept { return requests_; }
  const std::vector<served_step>& steps() const noexcept { return steps_; }

  /// Tokens of prompts, and twice those generated, that each adapter's requests were given: service as VTC
  /// counts it, whatever the policy.
  const std::map<std::uint32_t, double>& service() const noexcept { return service_; }

  /// Sequences in steps so far: each is a decision of the planner.
  std::uint64_t decisions() const noexcept { return decisions_; }

  /// The largest difference of counters that was seen between two clients that both had somebody waiting.
  double widest_gap() const noexcept { return widest_gap_; }

  /// Called after each step.
  std::function<void()> watch;

 private:
  struct lease_due {
    double at;
    std::uint64_t order;
    adapter_version version;
    bool operator>(const lease_due& other) const {
      return std::pair(at, order) > std::pair(other.at, other.order);
    }
  };

  void submit(const request_arrival& r);
  void ask_for_leases();
  void grant_due();
  bool step();
  void take(const plan_outcome& out);
  void note_gap();

  planner plan_;
  virtual_machine machine_;
  double now_ = 0;
  std::vector<served_request> requests_;  // sequence id - 1
  std::vector<served_step> steps_;
  std::map<std::uint32_t, double> service_;
  std::priority_queue<lease_due, std::vector<lease_due>, std::greater<>> due_;
  std::uint64_t asked_ = 0;
  std::uint64_t ended_ = 0;
  std::uint64_t decisions_ = 0;
  double widest_gap_ = 0;
};

/// What a step of this batch has to do, counted from the batch itself.
step_load load_of(const batch& work);

/// Jain's index of fairness: 1 when all are equal, 1/n when one has everything.
double jain_index(const std::map<std::uint32_t, double>& service);

/// The value below which so many of 1 lie; 0 of nothing.
double quantile(std::vector<double> values, double share);

}  // namespace lorica::bench
