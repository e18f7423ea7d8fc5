#pragma once

#include <chrono>
#include <optional>

namespace lorica {

/// How fast places come free and how many clients have been refused of late, both forgotten with a time
/// constant of ten seconds. Tells a refused client when to come back: the refused are a queue that drains at
/// the rate at which places come free. Pure; times are handed in and do not go back.
class drain_rate {
 public:
  using time_point = std::chrono::steady_clock::time_point;

  /// A place has come free.
  void freed(time_point now);

  /// A client was refused.
  void refused(time_point now);

  /// 1 to 60 seconds, for `Retry-After`.
  std::chrono::seconds wait(time_point now);

 private:
  void forget(time_point now);

  std::optional<time_point> began_;  ///< first event
  time_point latest_;                ///< to which the counts are forgotten
  double freed_ = 0;
  double refused_ = 0;
};

}  // namespace lorica
