#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <vector>

#include "bench/gpu/device_shelf.hpp"
#include "bench/virtual_server.hpp"
#include "engine/planner.hpp"

namespace lorica::bench {

/// How a run of traffic went.
struct live_outcome {
  std::vector<served_request> requests;  ///< in the order of their arrivals
  double seconds = 0;                    ///< from the first arrival to the end
  double end = 0;                        ///< seconds from the beginning
  std::uint64_t tokens = 0;
  std::uint64_t steps = 0;
  std::uint64_t copies = 0;  ///< of adapters to the device
  std::uint64_t ended = 0;   ///< requests that had all their tokens
  bool cut = false;          ///< the time was over before all had what they were to have
};

/// When a run of traffic ends.
struct live_end {
  double seconds = 1e9;          ///< then at the latest
  bool at_first_tokens = false;  ///< once all have their first tokens: nothing else is asked
};

/// Seconds of the wall clock to the first token of each request; of one that has none how long it has waited,
/// so that a quantile is right as long as it falls on one that has.
std::vector<double> first_token_seconds(const live_outcome& o);

/// The planner and an executor in real time on one thread: arrivals as the clock reaches them, one step after
/// the other, adapters that come and go as requests want them. Where one waits too long for room, another
/// drains as a server has it. Tokens of prompts are random. Throws `failure`.
class live_server {
 public:
  live_server(executor& engine, const adapter_list& adapters, planner_options options, std::uint32_t vocab);

  /// Serves all arrivals, which come in order of time, until `end`. Once in a life.
  live_outcome serve(const std::vector<request_arrival>& arrivals, const live_end& end = {});

 private:
  using clock = std::chrono::steady_clock;

  struct wish {
    adapter_version version;
    double since = 0;
  };

  double now() const;
  void submit(const request_arrival& r);
  void note_wishes();
  bool grant_wishes();
  void drain_if_starving();
  bool step();
  void take(const plan_outcome& out);
  void wait_until(double at) const;
  bool is_over(std::size_t arrivals, const live_end& end);

  executor& engine_;
  const adapter_list& adapters_;
  device_shelf shelf_;
  planner plan_;
  std::uint32_t vocab_;
  clock::time_point start_;
  std::deque<wish> wishes_;
  bool draining_ = false;
  std::size_t started_ = 0;  // requests that have their first token
  live_outcome out_;
};

}  // namespace lorica::bench
