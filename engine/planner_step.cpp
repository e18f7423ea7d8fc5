#include <algorithm>
#include <compare>

#include "engine/planner.hpp"
#include "engine/planner_record.hpp"

namespace lorica {

std::optional<planned_step> planner::next_step() {
  if (step_in_flight()) return std::nullopt;
  planned_step step;
  make_blocks(step);
  admit_waiting(step);
  in_flight_ = select();
  if (in_flight_.empty()) return std::nullopt;
  step.work = build();
  ++counts_.steps;
  counts_.rows += step.work->tokens.size();
  return step;
}

planner::place planner::place_of(const record& r) const noexcept {
  return {r.preempted ? 0u : 1u, r.ticket};
}

/// Room in the blocks for the next token of every sequence that can go on, the oldest first.
void planner::make_blocks(planned_step& step) {
  auto order = running_;
  for (auto r : order) {
    if (r->paused) continue;
    while (r->running && !r->blocks.grow(r->tokens.size()))
      preempt(victim(), step.preempted);
  }
}

/// Paused sequences do not miss their blocks now; else the youngest loses least. The oldest that is not
/// paused is never chosen while there is another, so it always gets to its end.
planner::record& planner::victim() {
  auto paused = std::ranges::find_if(running_.rbegin(), running_.rend(), [](record* r) { return r->paused; });
  return paused == running_.rend() ? *running_.back() : **paused;
}

void planner::preempt(record& r, std::vector<sequence_id>& preempted) {
  std::erase(running_, &r);
  admitted_tokens_ -= r.most_tokens();
  free_slots_.push_back(r.slot);
  r.blocks.clear();
  r.running = false;
  r.preempted = true;
  r.computed = r.told = r.noted = 0;
  r.place = nullptr;
  waiting_.emplace(place_of(r), &r);
  preempted.push_back(r.facts.id);
  ++counts_.preemptions;
}

void planner::admit_waiting(planned_step& step) {
  std::uint32_t asked = 0;    // sequences that began to ask for leases in this walk
  std::uint32_t holding = 0;  // sequences met that wait with leases taken or asked for
  for (auto next = waiting_.begin(); next != waiting_.end();) {
    auto& r = *(next++)->second;
    auto may_ask = asked < free_slots_.size() || holding < options_.leases_ahead;
    if (!r.paused && !r.gathering) asked += gather_leases(r, may_ask ? asking::allowed : asking::refused);
    holding += r.uses.empty() ? 0 : 1;
    if (r.paused) continue;
    // Those behind go on while this one's lease is on the way.
    if (!r.ready()) continue;
    // Otherwise the order is strict: who does not fit yet is not overtaken, so its turn comes.
    if (!fits(r) && !make_room(r, step)) return;
    admit(r);
    step.admitted.push_back(r.facts.id);
  }
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
  return unasked != 0 ? 1 : 0;
}

bool planner::fits(const record& r) const {
  if (free_slots_.empty()) return false;
  if (options_.max_total_tokens != 0 && admitted_tokens_ + r.most_tokens() > options_.max_total_tokens)
    return false;
  // One block in reserve for each that runs: who is admitted shall not be preempted in the next step.
  return blocks_.free() >= blocks_.blocks_for(r.tokens.size()) - shared_blocks(r) + running_.size();
}

/// Paused sequences give way to the head of the queue, if that is enough.
bool planner::make_room(const record& r, planned_step& step) {
  std::vector<record*> paused;
  auto blocks = blocks_.free();
  auto tokens = admitted_tokens_;
  for (auto other : running_) {
    if (!other->paused) continue;
    paused.push_back(other);
    blocks += other->blocks.size();
    tokens -= other->most_tokens();
  }
  if (paused.empty()) return false;
  if (blocks < blocks_.blocks_for(r.tokens.size()) + running_.size() - paused.size()) return false;
  if (options_.max_total_tokens != 0 && tokens + r.most_tokens() > options_.max_total_tokens) return false;
  // A block that others hold too is not free when one of them gives way.
  for (; !fits(r) && !paused.empty(); paused.pop_back())
    preempt(*paused.back(), step.preempted);
  return fits(r);
}

void planner::admit(record& r) {
  waiting_.erase(place_of(r));
  r.running = true;
  r.preempted = false;
  r.slot = free_slots_.back();
  free_slots_.pop_back();
  admitted_tokens_ += r.most_tokens();
  if (options_.prefix_caching && !r.facts.prompt_logprobs) counts_.prefix_queries += r.tokens.size();
  catch_up(r);
  // Cannot fail: `fits` was asked.
  static_cast<void>(r.blocks.grow(r.tokens.size()));
  auto older = [](const record* a, const record* b) { return a->ticket < b->ticket; };
  running_.insert(std::ranges::upper_bound(running_, &r, older), &r);
}

/// Who is in the step and with how many rows: every decode row, then prefill chunks, the oldest first.
std::vector<planner::record*> planner::select() {
  std::vector<record*> able;
  std::ranges::copy_if(running_, std::back_inserter(able), [](record* r) { return !r->paused; });
  if (options_.max_adapters_per_step != 0) able = within_adapter_limit(std::move(able));
  auto rows_left = options_.max_rows;
  for (auto r : able)
    if (r->remaining() == 1) r->planned = 1, --rows_left;
  auto budget =
      options_.max_prefill_tokens == 0 ? rows_left : std::min(rows_left, options_.max_prefill_tokens);
  for (std::size_t i = 0; i < able.size(); ++i) {
    auto r = able[i];
    if (r->remaining() == 1) continue;
    catch_up(*r);
    if (waits_for_block(*r, std::span(able).first(i))) continue;
    budget -= r->planned = std::min(r->remaining(), budget);
  }
  std::erase_if(able, [](record* r) { return r->planned == 0; });
  for (auto r : able)
    r->last_step = counts_.steps + 1;
  auto key = [](const record::use& u) { return std::pair(u.lease->serial, u.weight); };
  std::ranges::stable_sort(able, [key](const record* a, const record* b) {
    if (a->facts.combine != b->facts.combine) return a->facts.combine < b->facts.combine;
    return std::ranges::lexicographical_compare(a->uses, b->uses, {}, key, key);
  });
  return able;
}

/// As many sequences as the limit of distinct adapters allows; who waited longest for a step goes first.
std::vector<planner::record*> planner::within_adapter_limit(std::vector<record*> able) const {
  std::ranges::stable_sort(able, {}, &record::last_step);
  std::vector<const lease_table::entry*> taken;
  std::erase_if(able, [&taken, limit = options_.max_adapters_per_step](const record* r) {
    auto before = taken.size();
    for (auto& u : r->uses)
      if (std::ranges::find(taken, u.lease) == taken.end()) taken.push_back(u.lease);
    auto excess = taken.size() > limit;
    if (excess) taken.resize(before);
    return excess;
  });
  return able;
}

/// The batch of the sequences in flight, which are sorted by composition.
std::shared_ptr<const batch> planner::build() const {
  auto out = std::make_shared<batch>();
  out->sequences.reserve(in_flight_.size());
  const record* before = nullptr;
  for (auto r : in_flight_) {
    sequence_rows s;
    s.slot = r->slot;
    s.first_row = static_cast<std::uint32_t>(out->tokens.size());
    s.rows = r->planned;
    s.context = r->computed;
    s.first_block = static_cast<std::uint32_t>(out->block_table.size());
    s.blocks = blocks_.blocks_for(r->computed + r->planned);
    s.prompt_tokens = r->prompt_tokens;
    s.sample = r->samples();
    s.choice = r->facts.choice;
    s.sampling = r->facts.sampling;
    s.top = r->facts.top_logprobs;
    add_scores(s, *r);
    s.first_known = static_cast<std::uint32_t>(out->known.size());
    s.known = r->computed - r->told;
    out->known.insert(out->known.end(), r->tokens.begin() + r->told, r->tokens.begin() + r->computed);
    out->sequences.push_back(s);
    auto first = r->tokens.begin() + r->computed;
    out->tokens.insert(out->tokens.end(), first, first + r->planned);
    auto& ids = r->blocks.ids();
    out->block_table.insert(out->block_table.end(), ids.begin(), ids.begin() + s.blocks);
    add_to_segments(*out, *r, before);
    before = r;
  }
  return out;
}

/// The rows that tell how likely the prompt tokens behind them are.
void planner::add_scores(sequence_rows& rows, const record& r) {
  auto scores = r.scores();
  if (scores.count == 0) return;
  rows.first_scored = scores.first;
  rows.scored = scores.count;
  rows.scored_top = *r.facts.prompt_logprobs;
  auto behind = r.computed + r.planned;
  if (behind < r.prompt_tokens) rows.behind = r.tokens[behind];
}

/// Lengthens the last segment when the sequence before has the same composition, else begins one. Base rows
/// are in none.
void planner::add_to_segments(batch& work, const record& r, const record* before) {
  if (r.base()) return;
  if (before && before->uses == r.uses && before->facts.combine == r.facts.combine) {
    work.segments.back().rows += r.planned;
    return;
  }
  segment fresh;
  fresh.first_row = work.sequences.back().first_row;
  fresh.rows = r.planned;
  fresh.first_use = static_cast<std::uint32_t>(work.uses.size());
  fresh.uses = static_cast<std::uint32_t>(r.uses.size());
  fresh.combine = r.facts.combine;
  work.segments.push_back(fresh);
  for (auto& u : r.uses)
    work.uses.push_back({u.lease->held.get(), u.weight});
}

}  // namespace lorica
