#include "cpu/team_size.hpp"

#include <algorithm>

namespace lorica {

void team_size::step_done(double seconds, double waiting) noexcept {
  ++seen_;
  if (active_ < members_) {
    if (seen_ < while_) return;
    while_ = std::min(2 * while_, longest_while);
    active_ = members_;
    seen_ = 0;
    return;
  }
  seconds_ += seconds;
  waiting_ += waiting;
  if (seen_ < watched) return;
  if (waiting_ > most_waiting * seconds_ && members_ > 1)
    active_ = members_ - 1;
  else
    while_ = shortest_while;
  seen_ = 0;
  seconds_ = waiting_ = 0;
}

}  // namespace lorica
