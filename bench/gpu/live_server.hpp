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
  double seconds = 0;                    ///< from the first arrival to the last token
  std::uint64_t tokens = 0;
  std::uint64_t steps = 0;
  std::uint64_t copies = 0;  ///< of adapters to the device
};

/// Seconds of the wall clock to the first token of each request.
std::vector<double> first_token_seconds(const live_outcome& o);

/// The planner and an executor in real time on one thread: arrivals as the clock reaches them, one step after
/// the other, adapters that come and go as requests want them. Where one waits too long for room, another
/// drains as a server has it. Tokens of prompts are random. Throws `failure`.
class live_server {
 public:
  live_server(executor& engine, const adapter_list& adapters, planner_options options, std::uint32_t vocab);

  /// Serves all arrivals, which come in order of time. Once in a life.
  live_outcome serve(const std::vector<request_arrival>& arrivals);

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

  executor& engine_;
  const adapter_list& adapters_;
  device_shelf shelf_;
  planner plan_;
  std::uint32_t vocab_;
  clock::time_point start_;
  std::deque<wish> wishes_;
  bool draining_ = false;
  std::size_t ended_ = 0;
  live_outcome out_;
};

}  // namespace lorica::bench
