#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "core/generation_service.hpp"

namespace lorica::bench {

using clock = std::chrono::steady_clock;

/// Notes when each token of a request came.
class timed_stream final : public response_sink {
 public:
  void started(generation_started) override {}
  void chunk(generation_chunk tokens) override;
  void finished(generation_finish) override {}
  void done(generation_timings) override;
  void failed(error why) override;
  bool saturated() const noexcept override { return false; }

  /// Waits until so many tokens have come, or the end.
  void wait_for(std::size_t tokens);

  /// Waits for the end; the times of the tokens. Throws with the error of a request that failed.
  std::vector<clock::time_point> wait();

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<clock::time_point> times_;
  std::optional<error> error_;
  bool over_ = false;
};

/// Starts a greedy generation of exactly `tokens` tokens after a random prompt. `adapter` empty: base.
std::shared_ptr<timed_stream> start_stream(generation_service& service, const std::string& adapter,
                                           std::uint32_t prompt, std::uint32_t tokens, std::uint32_t seed);

}  // namespace lorica::bench
