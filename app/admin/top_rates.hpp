#pragma once

#include <chrono>
#include <deque>
#include <map>
#include <string>

#include "app/admin/top_reading.hpp"

namespace lorica::admin {

/// Things per second by adapter, of counters that only grow: the difference over the last ten seconds of
/// readings. Requests are counted at their end, so are their tokens; shorter spans would jump.
class top_rates {
 public:
  static constexpr std::chrono::seconds window{10};

  void take(const top_reading& reading);

  /// Names as the server labels them; empty is the base.
  double requests(const std::string& adapter) const;
  double tokens(const std::string& adapter) const;
  double all_requests() const;
  double all_tokens() const;

  /// Rows of all steps: tokens read or made, as they are computed.
  double rows() const;

  /// True when there are two readings to compare.
  bool known() const noexcept { return kept_.size() > 1; }

 private:
  struct counts {
    std::chrono::steady_clock::time_point at;
    std::map<std::string, double> requests, tokens;
    double rows = 0;
    double steps = 0;
  };

  template <class Of>
  double per_second(Of of) const;

  std::deque<counts> kept_;  ///< at most 1,000
};

}  // namespace lorica::admin
