#pragma once

#include <chrono>

namespace lorica::bench {

/// Of `left` seconds those that the next of several things may take, `weight` being its part of `weights`,
/// its own and those of all that come behind it: what one leaves goes to those behind.
double share_of_time(double left, double weight, double weights) noexcept;

/// A point in time until which something may begin. The clock goes on in copies of the process.
class deadline {
 public:
  using clock = std::chrono::steady_clock;

  explicit deadline(double seconds)
      : at_(clock::now() +
            std::chrono::duration_cast<clock::duration>(std::chrono::duration<double>(seconds))) {}

  /// Seconds until then; below 0 behind it.
  double left() const noexcept { return std::chrono::duration<double>(at_ - clock::now()).count(); }

 private:
  clock::time_point at_;
};

/// How a case of traffic spends the `left` seconds of its runs: each of `runs` has arrivals for so long, at
/// most `wanted`, that its last requests have time to end.
double arrival_seconds(double left, double runs, double wanted) noexcept;

}  // namespace lorica::bench
