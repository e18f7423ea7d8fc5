// The step after the one in flight, so that nobody waits for what that one samples.
#include <algorithm>
#include <utility>

#include "engine/planner.hpp"
#include "engine/planner_record.hpp"

namespace lorica {

/// What `next_step` would plan is known only where nobody comes, goes or gives way.
bool planner::can_plan_ahead() const {
  if (!step_in_flight() || next_work_ || !waiting_.empty() || in_flight_.size() != running_.size())
    return false;
  std::uint64_t blocks = 0;
  for (auto r : in_flight_) {
    if (!r->can_go_on()) return false;
    blocks += blocks_.blocks_for(r->tokens.size() + 1) - r->blocks.size();
  }
  return blocks <= blocks_.free();
}

std::shared_ptr<const batch> planner::plan_ahead() {
  if (!can_plan_ahead()) return nullptr;
  for (auto r : in_flight_)
    static_cast<void>(r->blocks.grow(r->tokens.size() + 1));  // cannot fail: there are enough
  next_work_ = build(ahead::yes);
  return next_work_;
}

/// The same sequences, each with the row of the token that was sampled.
void planner::begin_ahead(std::vector<record*> sequences, std::shared_ptr<const batch> work) {
  queue_.settle();
  in_flight_ = std::move(sequences);
  work_ = std::move(work);
  was_ahead_ = true;
  waits_ = false;  // the step before waited for all that this one reads
  ++looks_;
  load_ = {};
  sat_out_ = 0;
  for (auto r : in_flight_) {
    join(*r, 1);
    r->last_step = counts_.steps + 1;
  }
}

/// It is one only when it was executed.
void planner::count_ahead() {
  if (!std::exchange(was_ahead_, false)) return;
  ++counts_.steps;
  ++counts_.ahead;
  counts_.rows += in_flight_.size();
}

plan_outcome planner::not_begun() {
  plan_outcome out;
  was_ahead_ = false;
  next_work_ = nullptr;
  for (auto r : std::exchange(in_flight_, {})) {
    r->planned = 0;
    if (r->doomed) end(*r, *r->doomed, out);
  }
  give_way(out);
  return out;
}

}  // namespace lorica
