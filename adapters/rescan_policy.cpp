#include "adapters/rescan_policy.hpp"

#include <algorithm>

namespace lorica {

missed_name rescan_policy::missed(std::string_view name, time_point now) {
  if (running_) return missed_name::wait;
  if (now >= next_) {
    begin(now);
    return missed_name::rescan;
  }
  if (names_.contains(name) || names_.size() >= max_names_) return missed_name::unknown;
  names_.emplace(name);
  return missed_name::elsewhere;
}

void rescan_policy::begin(time_point now) {
  running_ = true;
  began_ = now;
}

void rescan_policy::finish(time_point now) {
  running_ = false;
  names_.clear();
  // From one beginning to the next: the interval, or ten times what the scan took.
  const auto took = std::chrono::duration_cast<std::chrono::nanoseconds>(now - began_);
  next_ = began_ + std::max(interval_, took * 10);
}

}  // namespace lorica
