#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "core/clock.hpp"
#include "core/error.hpp"

namespace lorica {

/// True for a refusal of the only adapter that a request names when it means that no adapter has the name:
/// not that one is there and cannot be used, nor that it is being unloaded, and not one of several.
bool nobody_has(const error& why, std::size_t adapters_named);

/// When to log that the base answered for names that nobody has: not for each of many. Owned by `telemetry`;
/// time is handed in.
class fallback_notes {
 public:
  using time_point = clock_source::time_point;

  /// A line for the log, at most one in ten seconds; it counts those that had none.
  std::optional<std::string> note(std::string_view asked, time_point now);

 private:
  std::optional<time_point> last_;
  std::size_t untold_ = 0;
};

}  // namespace lorica
