#include "cpu/step_check.hpp"

#include <string>

#include "cpu/adapter_packer.hpp"

namespace lorica {
namespace {

error broken(const char* rule) {
  return fail(errc::internal, std::string("a step breaks its contract: ") + rule);
}

result<void> check_blocks(const batch& step, const sequence_rows& s, const executor_limits& l) {
  auto end = std::uint64_t{s.first_block} + s.blocks;
  if (end > step.block_table.size()) return broken("block table out of range");
  if (std::uint64_t{s.blocks} * l.block_tokens < std::uint64_t{s.context} + s.rows)
    return broken("too few blocks");
  for (auto b = s.first_block; b < end; ++b)
    if (step.block_table[b] >= l.blocks) return broken("block id out of range");
  return {};
}

result<void> check_tokens(const batch& step, const sequence_rows& s, const step_bounds& b) {
  for (std::uint32_t r = 0; r < s.rows; ++r) {
    auto token = step.tokens[s.first_row + r];
    if (token == sampled_last && r == 0 && s.context > 0 && b.known[s.slot] == s.context + 1) continue;
    if (token < 0 || static_cast<std::uint32_t>(token) >= b.vocab) return broken("token out of range");
  }
  return {};
}

result<void> check_sequences(const batch& step, const step_bounds& b) {
  std::uint64_t next = 0;
  std::vector<bool> taken(b.limits.max_sequences);
  for (auto& s : step.sequences) {
    if (s.first_row != next || s.rows == 0) return broken("rows have a hole");
    next += s.rows;
    if (next > step.tokens.size()) return broken("more rows than tokens");
    if (s.slot >= b.limits.max_sequences || taken[s.slot]) return broken("slot out of range or twice");
    taken[s.slot] = true;
    if (std::uint64_t{s.context} + s.rows > b.limits.max_positions) return broken("position out of range");
    if (s.context > 0 && b.known[s.slot] < s.context) return broken("context was never computed");
    if (auto ok = check_blocks(step, s, b.limits); !ok) return ok;
    if (auto ok = check_tokens(step, s, b); !ok) return ok;
  }
  return next == step.tokens.size() ? result<void>() : broken("tokens without a sequence");
}

result<void> check_segments(const batch& step, const step_bounds& b) {
  std::uint64_t next = 0;
  for (auto& s : step.segments) {
    if (s.first_row < next || s.rows == 0) return broken("segments overlap or are not ascending");
    next = std::uint64_t{s.first_row} + s.rows;
    if (next > step.tokens.size()) return broken("segment out of range");
    if (s.uses == 0 || std::uint64_t{s.first_use} + s.uses > step.uses.size())
      return broken("uses out of range");
  }
  for (auto& use : step.uses) {
    auto* adapter = dynamic_cast<const cpu_packed_adapter*>(use.adapter);
    if (!adapter) return broken("an adapter of another executor");
    if (adapter->type() != b.type || adapter->layers() != b.layers)
      return broken("an adapter of another model");
    if (adapter->most_ranks() > b.max_adapter_ranks) return broken("an adapter above the largest rank");
  }
  return {};
}

}  // namespace

result<void> check_step(const batch& step, const step_bounds& bounds) {
  if (step.tokens.empty() || step.tokens.size() > bounds.limits.max_rows) return broken("number of rows");
  if (auto ok = check_sequences(step, bounds); !ok) return ok;
  return check_segments(step, bounds);
}

}  // namespace lorica
