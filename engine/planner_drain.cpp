#include <algorithm>
#include <utility>

#include "engine/planner.hpp"
#include "engine/planner_record.hpp"

namespace lorica {

plan_outcome planner::drain(const std::vector<adapter_version>& candidates, drain_how how) {
  plan_outcome out;
  auto held = leases_.held();
  if (candidates.empty()) {
    for (auto e : held)
      e->draining = false;
    return out;
  }
  auto chosen = std::ranges::find_if(held, [](auto e) { return e->draining; });
  if (chosen == held.end()) {
    std::erase_if(held,
                  [&](auto e) { return std::ranges::find(candidates, e->version) == candidates.end(); });
    // Equal work is no reason to hang on the order of a hash table.
    chosen =
        std::ranges::min_element(held, {}, [this](auto e) { return std::pair(work_left(*e), e->serial); });
    if (chosen == held.end()) return out;
    (*chosen)->draining = true;
    std::vector<record*> back;
    for (auto& [place, r] : waiting_)
      if (r->drains()) back.push_back(r);
    for (auto r : back)
      scatter_leases(*r, out);
  }
  draining_ = how;
  give_way(out);
  return out;
}

/// Tokens that the longest of the running sequences with this adapter has still before it.
std::uint64_t planner::work_left(const lease_table::entry& e) const {
  std::uint64_t most = 0;
  for (auto r : running_)
    if (r->uses_lease(e)) most = std::max(most, r->most_tokens() - r->computed);
  return most;
}

/// Sequences that leave a draining adapter without their end: also those that were put back while it drains,
/// or one would keep the lease from behind another that may not ask for it.
void planner::give_way(plan_outcome& out) {
  if (step_in_flight()) return;
  auto all = running_;
  for (auto r : all) {
    if (!r->drains() || (draining_ == drain_how::finish && !r->paused)) continue;
    preempt(*r, out.preempted);
  }
  for (auto& [place, r] : waiting_) {
    if (!r->preempted) return;  // they come first
    if (r->drains()) scatter_leases(*r, out);
  }
}

/// The sequence, which waits or ends, holds and asks for nothing any more.
void planner::scatter_leases(record& r, plan_outcome& out) {
  askers_ -= std::exchange(r.asker, false) ? 1 : 0;
  for (auto& u : r.uses)
    if (auto lease = leases_.drop(*u.lease)) out.leases.push_back(std::move(lease));
  r.uses.clear();
  r.gathering = false;
  if (gathering_several_ == &r) gathering_several_ = nullptr;
}

}  // namespace lorica
