#include "bench/gpu/step_maker.hpp"

#include "bench/gpu/random_numbers.hpp"

namespace lorica::bench {
namespace {

/// Neighbouring sequences of one adapter are one segment, as the planner has them.
void add_to_segments(batch& to, const sequence_rows& s, const packed_adapter* adapter) {
  if (!to.uses.empty() && to.uses.back().adapter == adapter) {
    to.segments.back().rows += s.rows;
    return;
  }
  to.segments.push_back({s.first_row, s.rows, static_cast<std::uint32_t>(to.uses.size()), 1});
  to.uses.push_back({adapter, 1.0f});
}

}  // namespace

batch step_maker::make(const even_step& s) const {
  const auto blocks_each = limits_.blocks / limits_.max_sequences;
  batch out;
  for (std::uint32_t i = 0; i < s.sequences; ++i) {
    sequence_rows rows;
    rows.slot = s.first + i;
    rows.first_row = static_cast<std::uint32_t>(out.tokens.size());
    rows.rows = s.rows;
    rows.context = s.context;
    rows.first_block = static_cast<std::uint32_t>(out.block_table.size());
    rows.blocks = (s.context + s.rows + limits_.block_tokens - 1) / limits_.block_tokens;
    rows.prompt_tokens = s.rows == 1 ? s.context : s.context + s.rows;
    rows.sample = true;
    for (std::uint32_t b = 0; b < rows.blocks; ++b)
      out.block_table.push_back(rows.slot * blocks_each + b);
    const bool decodes = s.rows == 1 && s.context != 0;
    for (std::uint32_t r = 0; r < s.rows; ++r) {
      const auto drawn = scattered((std::uint64_t{rows.slot} << 32) + s.context + r) % vocab_;
      out.tokens.push_back(decodes ? sampled_last : static_cast<token_id>(drawn));
    }
    if (!s.adapters.empty())
      add_to_segments(out, rows, s.adapters[std::size_t{i} * s.adapters.size() / s.sequences].get());
    out.sequences.push_back(rows);
  }
  return out;
}

}  // namespace lorica::bench
