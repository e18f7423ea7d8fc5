#include "cpu/team_size.hpp"

#include <algorithm>

namespace lorica {

void team_size::step_done(double seconds, double waiting) noexcept {
  ++seen_;
  seconds_ += seconds;
  if (active_ == members_) return watch(seconds, waiting);
  if (seen_ < while_ && seconds_ < limit_) return;
  while_ = std::min(2 * while_, longest_while);
  begin_anew(members_);
}

void team_size::watch(double seconds, double waiting) noexcept {
  waiting_ += waiting;
  if (waiting > worst_waiting_) {
    worst_waiting_ = waiting;
    worst_seconds_ = seconds;
  }
  const auto enough = while_ == shortest_while ? watched : watched_again;
  if (seen_ < enough) return;
  if (members_ > 1 && waiting_ - worst_waiting_ > most_waiting * (seconds_ - worst_seconds_)) {
    limit_ = seconds_ * while_ / enough;
    return begin_anew(members_ - 1);
  }
  while_ = shortest_while;
  begin_anew(members_);
}

void team_size::begin_anew(unsigned active) noexcept {
  active_ = active;
  seen_ = 0;
  seconds_ = waiting_ = worst_seconds_ = worst_waiting_ = 0;
}

}  // namespace lorica
