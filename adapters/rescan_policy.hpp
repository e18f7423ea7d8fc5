#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <string_view>

#include "core/clock.hpp"

namespace lorica {

/// What to do about a name that neither the catalogue nor the index of the roots knows.
enum class missed_name : std::uint8_t {
  rescan,     ///< look through the roots again and report with `finish`; this name waits for the result
  wait,       ///< a scan runs: this name waits for its result too
  elsewhere,  ///< missed for the first time since the last scan: other places may be asked for it
  unknown,    ///< nothing needs to be asked
};

/// Decides how often names that nobody knows may cost something: the roots are scanned at most every
/// `interval`, and for at most a tenth of the time; between two scans each name is sought elsewhere once, and
/// `max_names` names in all. So a flood of unknown names costs no more than that. A plain class of one
/// thread; time is handed in.
class rescan_policy {
 public:
  using time_point = clock_source::time_point;

  explicit rescan_policy(std::chrono::nanoseconds interval = std::chrono::seconds(5),
                         std::size_t max_names = 10'000)
      : interval_(interval), max_names_(max_names) {}

  /// A request names what is not there. After `rescan` a scan counts as running.
  missed_name missed(std::string_view name, time_point now);

  /// A scan starts that no name asked for.
  void begin(time_point now);

  /// The running scan has ended, well or not: every name may be missed anew.
  void finish(time_point now);

  std::size_t remembered() const noexcept { return names_.size(); }

 private:
  std::chrono::nanoseconds interval_;
  std::size_t max_names_;
  bool running_ = false;
  time_point began_{};
  time_point next_ = time_point::min();       ///< no scan before
  std::set<std::string, std::less<>> names_;  ///< missed since the last scan
};

}  // namespace lorica
