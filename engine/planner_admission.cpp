// Which waiting sequences the planner lets run, in which order.
#include <algorithm>
#include <limits>
#include <utility>

#include "engine/planner.hpp"
#include "engine/planner_record.hpp"

namespace lorica {
namespace {

constexpr std::size_t most_starved = 8;      // clients looked at in a step
constexpr std::uint32_t most_warm = 64;      // likewise, for a running adapter
constexpr std::uint32_t most_hopeless = 64;  // that wait for leases, while no slot is free

}  // namespace

planner::place planner::place_of(const record& r) const noexcept {
  return {r.preempted ? 0u : 1u, r.ticket};
}

void planner::enqueue(record& r) {
  waiting_.emplace(place_of(r), &r);
  if (!r.paused) queue_.add(*r.client, place_of(r));
}

void planner::dequeue(record& r) {
  waiting_.erase(place_of(r));
  if (!r.paused) queue_.remove(*r.client, place_of(r));
}

planner::record& planner::head_of(const fair_queue::client& c) {
  return *waiting_.at(*c.waiting.begin());
}

void planner::admit_waiting(planned_step& step) {
  queue_.settle();
  if (!queue_.first()) return;
  admission a{step};
  note_running(a);
  bool special = queue_.fair();  // whoever starves, and the warm ones, go behind the preempted ones
  std::uint32_t hopeless = 0;
  for (auto next = queue_.first(); next && hopeless < most_hopeless;) {
    auto turn = fair_queue::turn_of(*next);
    if (special && turn.rank != 0) {
      special = false;
      if (admit_first(a) == verdict::stop) return;
      admit_warm(a);
      turn = {1, -std::numeric_limits<double>::infinity()};  // the order may have changed
    } else {
      auto gone = step.preempted.size();
      auto how = consider(head_of(*next), a, asking::refused);
      // Who was put back and does not fit yet is passed by small clients, unless it is of one.
      if (how == verdict::stop && special && !outweighs(heavy(), *next)) static_cast<void>(admit_first(a));
      if (how == verdict::stop) return;
      // Whoever gave way went back to the queue and its client has less ahead: the order is another.
      if (step.preempted.size() != gone) turn = {};
      if (how == verdict::passed && free_slots_.empty()) ++hopeless;
    }
    next = queue_.behind(turn);
  }
}

/// Those that go before all whose turn it is.
planner::verdict planner::admit_first(admission& a) {
  if (admit_starved(a) == verdict::stop) return verdict::stop;
  admit_small(a);
  return verdict::passed;
}

/// Whoever waits for too long goes first and is overtaken by nobody but for a lease.
planner::verdict planner::admit_starved(admission& a) {
  if (options_.starve_after.count() == 0) return verdict::passed;
  a.starved = true;
  for (auto c : queue_.unserved(options_.starve_after, most_starved))
    if (consider(head_of(*c), a, asking::allowed) == verdict::stop) return verdict::stop;
  a.starved = false;
  return verdict::passed;
}

/// Sequences whose adapters run already go before those of the client whose turn it is, by a bounded gap: a
/// step reads an adapter once, however many use it (the cluster of S-LoRA's queue, with a bound).
void planner::admit_warm(admission& a) {
  auto next = queue_.first();
  if (options_.cluster_gap <= 0 || free_slots_.empty() || !next) return;
  auto until = next->counter() + options_.cluster_gap;
  for (std::uint32_t looked = 0; next && looked < most_warm && next->counter() <= until; ++looked) {
    auto turn = fair_queue::turn_of(*next);
    auto& r = head_of(*next);
    if (!r.gathering) gather_leases(r, asking::refused);
    if (r.ready() && warm(r)) {
      if (!fits(r)) return;
      admit(r);
      a.step.admitted.push_back(r.facts.id);
      a.running += step_load::of_rows(1, static_cast<std::uint32_t>(r.tokens.size()), !r.base(), 1);
    }
    next = queue_.behind(turn);
  }
}

/// The first sequence of a client, whose turn it is.
planner::verdict planner::consider(record& r, admission& a, asking may_ask) {
  if (a.asked < free_slots_.size() || askers_ < options_.leases_ahead) may_ask = asking::allowed;
  if (!r.gathering) a.asked += gather_leases(r, may_ask);
  // Those behind go on while this one's lease is on the way.
  if (!r.ready()) return verdict::passed;
  if (a.warm_until && (r.client->counter() > *a.warm_until || !warm(r))) return verdict::passed;
  if (!a.starved && !affordable(r, a)) {
    a.warm_until = r.client->counter() + options_.cluster_gap;
    return verdict::passed;
  }
  // Otherwise the order is strict: who does not fit yet is not overtaken, so its turn comes.
  if (!fits(r) && !make_room(r, a.step) && !take_place(r, a)) return verdict::stop;
  a.running += step_load::of_rows(1, static_cast<std::uint32_t>(r.tokens.size()), !r.base(), 1);
  a.running.adapter_bytes += fresh_bytes(r);
  for (auto& u : r.uses)
    u.lease->look = looks_;
  admit(r);
  a.step.admitted.push_back(r.facts.id);
  return verdict::admitted;
}

void planner::note_running(admission& a) {
  ++looks_;
  for (auto r : running_) {
    if (r->paused) continue;
    a.running += step_load::of_rows(1, static_cast<std::uint32_t>(r->tokens.size()), !r->base(), 1);
    a.running.adapter_bytes += fresh_bytes(*r);
    for (auto& u : r->uses)
      u.lease->look = looks_;
  }
}

/// Every adapter of a sequence was met in this look.
bool planner::warm(const record& r) const noexcept {
  return std::ranges::all_of(r.uses, [this](auto& u) { return u.lease->look == looks_; });
}

/// One more adapter keeps a step of decode rows within the target, or within twice what it takes without any
/// adapter where the target is below that. The first adapter is always allowed.
bool planner::affordable(const record& r, const admission& a) const {
  if (options_.inter_token_target <= 0 || !queue_.fair()) return true;
  if (a.running.adapter_bytes == 0 || warm(r)) return true;
  auto with = a.running;
  with += step_load::of_rows(1, static_cast<std::uint32_t>(r.tokens.size()), true, 1);
  auto bare = with;
  bare.adapter_bytes = bare.adapter_rows = 0;
  with.adapter_bytes += fresh_bytes(r);
  return cost_.predict(with) <= std::max(options_.inter_token_target, 2 * cost_.predict(bare));
}

/// Takes part in the leases of the composition; the number of sequences (0 or 1) that had to ask for one.
std::uint32_t planner::gather_leases(record& r, asking may_ask) {
  std::uint32_t unasked = 0;
  std::uint32_t missing = 0;
  for (auto& share : r.facts.composition) {
    auto known = leases_.find(share.version);
    if (known && known->draining) return 0;
    unasked += known ? 0 : 1;
    missing += known && known->held ? 0 : 1;
  }
  if (unasked != 0 && may_ask == asking::refused) return 0;
  auto several = missing != 0 && r.facts.composition.size() > 1;
  if (several && gathering_several_ && !gathering_several_->ready()) return 0;
  if (several) gathering_several_ = &r;
  r.gathering = true;
  for (auto& share : r.facts.composition)
    r.uses.push_back({&leases_.take(share.version), share.weight});
  r.asker = unasked != 0;
  askers_ += r.asker ? 1 : 0;
  return unasked != 0 ? 1 : 0;
}

bool planner::fits(const record& r) const {
  if (free_slots_.empty()) return false;
  if (options_.max_total_tokens != 0 && admitted_tokens_ + r.most_tokens() > options_.max_total_tokens)
    return false;
  // One block in reserve for each that runs: who is admitted shall not be preempted in the next step.
  return blocks_.free() >= blocks_.blocks_for(r.tokens.size()) - shared_blocks(r) + running_.size();
}

void planner::admit(record& r) {
  dequeue(r);
  r.running = true;
  askers_ -= std::exchange(r.asker, false) ? 1 : 0;
  r.preempted = false;
  r.slot = free_slots_.back();
  free_slots_.pop_back();
  admitted_tokens_ += r.most_tokens();
  if (options_.prefix_caching && !r.facts.prompt_logprobs) counts_.prefix_queries += r.tokens.size();
  catch_up(r);
  // Cannot fail: `fits` was asked.
  static_cast<void>(r.blocks.grow(r.tokens.size()));
  if (std::exchange(r.yielded, false)) stay(r);
  auto older = [](const record* a, const record* b) { return a->ticket < b->ticket; };
  running_.insert(std::ranges::upper_bound(running_, &r, older), &r);
  queue_.started(*r.client);
  prepay(r);
  queue_.settle();
}

}  // namespace lorica
