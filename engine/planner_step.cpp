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
  most_.adapter_bytes = std::max(most_.adapter_bytes, load_.adapter_bytes);
  work_ = build(ahead::no);
  ++counts_.steps;
  counts_.rows += work_->tokens.size();
  step.work = work_;
  return step;
}

/// Who is in the step and with how many rows: every decode row, then prefill chunks.
std::vector<planner::record*> planner::select() {
  std::vector<record*> able;
  std::ranges::copy_if(running_, std::back_inserter(able), [](record* r) { return !r->paused; });
  hold_back(able);
  if (options_.max_adapters_per_step != 0) able = within_adapter_limit(std::move(able));
  auto budget = prefill_budget(able);
  auto apart = set_apart(able, budget);
  ++looks_;
  load_ = {};
  for (auto r : able)
    if (r->remaining() == 1) join(*r, 1);
  add_prefill(able, budget);
  sat_out_ = apart;
  std::erase_if(able, [](record* r) { return r->planned == 0; });
  waits_ = last_arrival_ > queue_.now() &&
           std::ranges::any_of(able, [this](const record* r) { return arrives_in(*r) > 0; });
  for (auto r : able)
    r->last_step = counts_.steps + 1;
  auto key = [](const record::use& u) { return std::pair(u.lease->serial, u.weight); };
  std::ranges::stable_sort(able, [key](const record* a, const record* b) {
    if (a->facts.combine != b->facts.combine) return a->facts.combine < b->facts.combine;
    return std::ranges::lexicographical_compare(a->uses, b->uses, {}, key, key);
  });
  return able;
}

/// Rows that prompts may have beside all decode rows.
std::uint32_t planner::prefill_budget(std::span<record* const> able) const {
  auto decoding = std::ranges::count_if(able, [](const record* r) { return r->remaining() == 1; });
  auto left = options_.max_rows - static_cast<std::uint32_t>(decoding);
  return options_.max_prefill_tokens == 0 ? left : std::min(left, options_.max_prefill_tokens);
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

/// The batch of the sequences in flight, which are sorted by composition; ahead: of the token of each that is
/// sampled then.
std::shared_ptr<const batch> planner::build(ahead when) const {
  auto out = std::make_shared<batch>();
  out->sequences.reserve(in_flight_.size());
  out->eos = options_.eos;
  const record* before = nullptr;
  for (auto r : in_flight_) {
    sequence_rows s;
    s.slot = r->slot;
    s.first_row = static_cast<std::uint32_t>(out->tokens.size());
    s.rows = when == ahead::yes ? 1 : r->planned;
    s.context = when == ahead::yes ? r->computed + r->planned : r->computed;
    s.first_block = static_cast<std::uint32_t>(out->block_table.size());
    s.blocks = blocks_.blocks_for(s.context + s.rows);
    s.prompt_tokens = r->prompt_tokens;
    s.sample = when == ahead::yes || r->samples();
    s.ignore_eos = r->facts.ignore_eos;
    s.choice = r->facts.choice;
    s.sampling = r->facts.sampling;
    s.top = r->facts.top_logprobs;
    if (when == ahead::yes) {
      out->tokens.push_back(sampled_last);
    } else {
      add_scores(s, *r);
      add_tokens(*out, s, *r);
    }
    out->sequences.push_back(s);
    auto& ids = r->blocks.ids();
    out->block_table.insert(out->block_table.end(), ids.begin(), ids.begin() + s.blocks);
    add_to_segments(*out, *r, before);
    before = r;
  }
  return out;
}

/// The tokens of its rows, and those before them that the executor does not know.
void planner::add_tokens(batch& work, sequence_rows& rows, const record& r) {
  rows.first_known = static_cast<std::uint32_t>(work.known.size());
  rows.known = r.computed - r.told;
  work.known.insert(work.known.end(), r.tokens.begin() + r.told, r.tokens.begin() + r.computed);
  auto first = r.tokens.begin() + r.computed;
  work.tokens.insert(work.tokens.end(), first, first + r.planned);
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
  const auto rows = work.sequences.back().rows;
  if (before && before->uses == r.uses && before->facts.combine == r.facts.combine) {
    work.segments.back().rows += rows;
    return;
  }
  segment fresh;
  fresh.first_row = work.sequences.back().first_row;
  fresh.rows = rows;
  fresh.first_use = static_cast<std::uint32_t>(work.uses.size());
  fresh.uses = static_cast<std::uint32_t>(r.uses.size());
  fresh.combine = r.facts.combine;
  work.segments.push_back(fresh);
  for (auto& u : r.uses)
    work.uses.push_back({u.lease->held.get(), u.weight});
}

}  // namespace lorica
