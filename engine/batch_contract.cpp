#include "engine/batch_contract.hpp"

#include <cmath>
#include <span>
#include <string>
#include <utility>

#include "core/checked.hpp"
#include "engine/linear_merge.hpp"

namespace lorica {

batch_contract::batch_contract(const executor_limits& limits, std::uint32_t vocab)
    : limits_(limits), vocab_(vocab), slot_mark_(limits.max_sequences), block_mark_(limits.blocks) {}

result<void> batch_contract::check(const batch& step,
                                   const std::unordered_set<const packed_adapter*>& attached,
                                   const std::function<slot_state(std::uint32_t slot)>& slot_of) {
  ++check_;
  auto broken = broken_rows(step);
  for (std::size_t i = 0; broken.empty() && i < step.sequences.size(); ++i)
    broken = broken_sequence(step, step.sequences[i], slot_of);
  if (broken.empty()) broken = broken_segments(step, attached);
  if (!broken.empty()) return fail(errc::internal, "a batch broke its contract: " + std::string(broken));
  return {};
}

std::string_view batch_contract::broken_rows(const batch& step) const {
  if (step.tokens.empty()) return "no rows";
  if (step.tokens.size() > limits_.max_rows) return "more rows than max_rows";
  if (step.sequences.size() > limits_.max_sequences) return "more sequences than max_sequences";
  std::uint64_t row = 0;
  for (auto& s : step.sequences) {
    if (s.first_row != row || s.rows == 0) return "sequences do not cover the rows in order";
    row += s.rows;
  }
  if (row != step.tokens.size()) return "sequences do not cover the rows in order";
  for (auto token : step.known)
    if (token < 0 || static_cast<std::uint32_t>(token) >= vocab_) return "a token outside the vocabulary";
  for (auto token : step.tokens)
    if (token != sampled_last && (token < 0 || static_cast<std::uint32_t>(token) >= vocab_))
      return "a token outside the vocabulary";
  return {};
}

std::string_view batch_contract::broken_sequence(
    const batch& step, const sequence_rows& s, const std::function<slot_state(std::uint32_t slot)>& slot_of) {
  if (s.slot >= limits_.max_sequences) return "a slot above max_sequences";
  if (std::exchange(slot_mark_[s.slot], check_) == check_) return "a slot that is named twice";
  auto end = checked_add(s.context, s.rows);
  if (!end || *end > limits_.max_positions) return "a sequence longer than max_positions";
  const auto slot = slot_of(s.slot);
  if (s.known > s.context || std::uint64_t{s.first_known} + s.known > step.known.size())
    return "known tokens outside the context";
  if (s.context - s.known > slot.seen) return "a context that the slot has not seen";
  if (auto broken = broken_blocks(step, s, *end); !broken.empty()) return broken;
  for (std::uint32_t r = 0; r < s.rows; ++r) {
    if (step.tokens[s.first_row + r] != sampled_last) continue;
    if (r != 0 || s.context == 0 || !slot.sampled) return "sampled_last where nothing was sampled";
  }
  auto& p = s.sampling;
  if (s.sample && p.sample && !(p.temperature > 0 && std::isfinite(p.temperature)))
    return "a temperature that is not positive";
  if (s.sample && !(p.min_p >= 0 && p.min_p <= 1)) return "a min_p that is not in [0, 1]";
  return broken_scores(s);
}

std::string_view batch_contract::broken_blocks(const batch& step, const sequence_rows& s, std::uint64_t end) {
  if (std::uint64_t{s.first_block} + s.blocks > step.block_table.size()) return "blocks outside the table";
  if (std::uint64_t{s.blocks} * limits_.block_tokens < end) return "too few blocks";
  for (std::uint32_t i = 0; i < s.blocks; ++i) {
    auto block = step.block_table[s.first_block + i];
    if (block >= limits_.blocks) return "a block outside the pool";
    bool written = (i + 1) * std::uint64_t{limits_.block_tokens} > s.context &&
                   i * std::uint64_t{limits_.block_tokens} < end;
    if (written && std::exchange(block_mark_[block], check_) == check_)
      return "a block that two sequences write";
  }
  return {};
}

std::string_view batch_contract::broken_scores(const sequence_rows& s) const {
  if (s.top > most_top_logprobs || s.scored_top > most_top_logprobs) return "too many alternatives";
  if (s.scored == 0) return {};
  auto end = std::uint64_t{s.first_scored} + s.scored;
  if (end > s.rows || s.context + end >= s.prompt_tokens) return "scored rows outside the prompt";
  if (end < s.rows) return {};
  if (s.sample) return "a row that is scored and sampled";
  if (s.behind < 0 || static_cast<std::uint32_t>(s.behind) >= vocab_) return "a token outside the vocabulary";
  return {};
}

std::string_view batch_contract::broken_segments(
    const batch& step, const std::unordered_set<const packed_adapter*>& attached) const {
  std::uint64_t row = 0;
  bool several = false;
  for (auto& s : step.segments) {
    if (s.first_row < row || s.rows == 0) return "segments that are not ascending";
    row = std::uint64_t{s.first_row} + s.rows;
    if (row > step.tokens.size()) return "a segment outside the rows";
    if (s.uses == 0 || std::uint64_t{s.first_use} + s.uses > step.uses.size())
      return "uses outside the table";
    several |= s.uses > 1 || s.combine == combination::linear;
  }
  for (auto& use : step.uses) {
    if (!attached.contains(use.adapter)) return "an adapter that is not attached";
    if (!std::isfinite(use.weight)) return "an adapter weight that is not finite";
    if (use.adapter->stands_alone() && use.weight != 1) return "a weight of an adapter that stands alone";
  }
  if (several) return broken_company(step);
  return {};
}

std::string_view batch_contract::broken_company(const batch& step) {
  for (auto& s : step.segments)
    for (std::uint32_t use = s.first_use; s.uses > 1 && use < s.first_use + s.uses; ++use)
      if (step.uses[use].adapter->stands_alone()) return "an adapter that stands alone beside another";
  for (auto& s : step.segments)
    if (s.combine == combination::linear &&
        linear_merge_refusal(std::span(step.uses).subspan(s.first_use, s.uses)))
      return "adapters that cannot be merged";
  return {};
}

}  // namespace lorica
