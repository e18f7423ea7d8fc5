#include "cpu/step_plan.hpp"

#include <algorithm>

namespace lorica {

step_plan::step_plan(const executor_limits& limits, const model_config& model, unsigned members)
    : model_(model), contract_(limits, model.vocab), attention_(members + 1) {
  tokens_.reserve(limits.max_rows);
  positions_.reserve(limits.max_rows);
  sequence_.reserve(limits.max_rows);
  readings_.reserve(limits.max_rows);
  kept_.reserve(limits.max_rows);
}

result<void> step_plan::prepare(const batch& step, const std::unordered_set<const packed_adapter*>& attached,
                                token_history& history, unsigned members) {
  const auto slot_of = [&history](std::uint32_t slot) {
    return slot_state{history.seen(slot), history.last_sampled(slot).has_value()};
  };
  if (auto ok = contract_.check(step, attached, slot_of); !ok) return ok;
  fill(step, history);
  share_attention(members);
  return {};
}

void step_plan::fill(const batch& step, token_history& history) {
  step_ = &step;
  tokens_ = step.tokens;
  positions_.resize(tokens_.size());
  sequence_.resize(tokens_.size());
  readings_.clear();
  sampled_ = 0;
  for (std::uint32_t i = 0; i < step.sequences.size(); ++i) {
    auto& s = step.sequences[i];
    if (tokens_[s.first_row] == sampled_last) tokens_[s.first_row] = *history.last_sampled(s.slot);
    for (std::uint32_t r = 0; r < s.rows; ++r) {
      positions_[s.first_row + r] = s.context + r;
      sequence_[s.first_row + r] = i;
    }
    if (s.known != 0)
      history.write(s.slot, s.context - s.known, std::span(step.known).subspan(s.first_known, s.known));
    history.write(s.slot, s.context, std::span(tokens_).subspan(s.first_row, s.rows));
    read(s, i);
  }
  low_rank_width_ = 0;
  changes_head_ = false;
  merges_ = false;
  for (auto& s : step.segments) {
    std::uint32_t width = 0;
    merges_ |= s.combine == combination::linear;
    changes_head_ |= changes_head(s);
    for (std::uint32_t u = 0; u < s.uses; ++u)
      width += adapter(s.first_use + u).widest();
    low_rank_width_ = std::max(low_rank_width_, width);
  }
}

/// Adds the rows of a sequence whose logits are read.
void step_plan::read(const sequence_rows& s, std::uint32_t number) {
  const auto last = s.first_row + s.rows - 1;
  for (auto row = s.first_row + s.first_scored; row < s.first_row + s.first_scored + s.scored; ++row) {
    auto place = static_cast<std::uint32_t>(readings_.size()) - sampled_;
    readings_.push_back({row, number, place, row == last ? s.behind : tokens_[row + 1]});
  }
  if (s.sample) readings_.push_back({last, number, sampled_++, no_token});
}

void step_plan::narrow(const step_plan& whole, unsigned members) {
  for (auto* rows : {&positions_, &sequence_, &kept_})
    rows->clear();
  tokens_.clear();
  readings_ = whole.readings_;
  sampled_ = whole.sampled_;
  low_rank_width_ = whole.low_rank_width_;
  changes_head_ = whole.changes_head_;
  merges_ = whole.merges_;
  own_.block_table = whole.step_->block_table;
  own_.uses = whole.step_->uses;
  own_.sequences.clear();
  own_.segments.clear();
  step_ = &own_;
  for (auto r = readings_.begin(); r != readings_.end();) {
    const auto end =
        std::find_if(r, readings_.end(), [&](auto& other) { return other.sequence != r->sequence; });
    const auto shift = r->row - static_cast<std::uint32_t>(kept_.size());
    keep(whole.step_->sequences[r->sequence], r->row, std::prev(end)->row);
    for (; r != end; ++r)
      r->row -= shift;
  }
  for (auto s : whole.step_->segments) {
    const auto place = [&](std::uint32_t row) {
      return static_cast<std::uint32_t>(std::ranges::lower_bound(kept_, row) - kept_.begin());
    };
    const auto end = place(s.first_row + s.rows);
    s.first_row = place(s.first_row);
    s.rows = end - s.first_row;
    if (s.rows != 0) own_.segments.push_back(s);
  }
  share_attention(members);
}

/// Adds rows [first, last] of sequence `s` to a narrowed plan.
void step_plan::keep(const sequence_rows& s, std::uint32_t first, std::uint32_t last) {
  auto narrowed = s;
  narrowed.first_row = rows();
  narrowed.rows = last - first + 1;
  narrowed.context = s.context + (first - s.first_row);
  const auto number = static_cast<std::uint32_t>(own_.sequences.size());
  own_.sequences.push_back(narrowed);
  for (auto row = first; row <= last; ++row) {
    kept_.push_back(row);
    positions_.push_back(s.context + (row - s.first_row));
    sequence_.push_back(number);
    tokens_.push_back(no_token);
  }
}

const segment* step_plan::segment_of(std::uint32_t row) const noexcept {
  auto after = std::ranges::upper_bound(step_->segments, row, {}, &segment::first_row);
  if (after == step_->segments.begin()) return nullptr;
  auto& s = *std::prev(after);
  return row < s.first_row + s.rows ? &s : nullptr;
}

bool step_plan::changes_head(const segment& s) const noexcept {
  for (std::uint32_t u = 0; u < s.uses; ++u)
    if (adapter(s.first_use + u).changes_head()) return true;
  return false;
}

const segment* step_plan::head_segment_of(std::uint32_t row) const noexcept {
  auto* s = changes_head_ ? segment_of(row) : nullptr;
  return s && changes_head(*s) ? s : nullptr;
}

/// A head of a row costs its visible tokens, and some for the start.
void step_plan::share_attention(unsigned members) {
  constexpr std::uint64_t start_cost = 32;
  auto cost = [&](std::uint32_t row) { return positions_[row] + start_cost; };
  std::uint64_t all = 0;
  for (std::uint32_t row = 0; row < rows(); ++row)
    all += cost(row) * model_.heads;
  std::uint64_t done = 0;
  std::uint32_t next = 0;
  for (std::uint32_t row = 0; row < rows(); ++row) {
    auto whole = cost(row) * model_.heads;
    for (; next < members && all * next / members < done + whole; ++next)
      attention_[next] = {row, static_cast<std::uint32_t>((all * next / members - done) / cost(row))};
    done += whole;
  }
  attention_[members] = {rows(), 0};
}

}  // namespace lorica
