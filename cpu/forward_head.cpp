// From the last layer to logits and their pieces.

#include "cpu/forward.hpp"

#include <algorithm>

namespace lorica {

void forward::head(const step_plan& read, std::uint32_t first, std::uint32_t count, unsigned member) {
  auto rows = share_of(count, member, team_.active());
  for (auto i = rows.first; i < rows.last; ++i) {
    norm_row(read, weights_->final_norm(), read.readings()[first + i].row, memory_.head_input, i);
  }
  if (read.changes_head())
    for_head_runs(read, first, count, [&](const segment& run, bool changed) {
      if (changed) shrink_segment(read, 0, lora_group::head, run, memory_.head_input, rows);
    });
  pass(step_phase::head, member);
  // Whole pieces, so that their sums do not depend on the number of threads; summarised while they are in the
  // cache.
  constexpr auto piece_blocks = summary_logits / block_outputs;
  const auto blocks = weights_->head().blocks;
  const auto pieces = share_of((blocks + piece_blocks - 1) / piece_blocks, member, team_.active());
  for (auto p = pieces.first; p < pieces.last; ++p) {
    logits(read, first, count, {p * piece_blocks, std::min((p + 1) * piece_blocks, blocks)});
    summarise(count, {p, p + 1});
  }
  pass(step_phase::head, member);
}

/// Neighbouring readings with the same matrix in one product, then what each run of them adds.
void forward::logits(const step_plan& plan, std::uint32_t first, std::uint32_t count, share blocks) {
  auto at = [&](std::uint32_t row) {
    return memory_.logits.floats(row) + std::size_t{blocks.first} * block_outputs;
  };
  const auto stride = memory_.logits.stride;
  share together{0, 0};
  const packed_matrix* matrix = &weights_->head();
  auto flush = [&] {
    product(*matrix, memory_.head_input, together, blocks, gemm_into::store, at(together.first), stride);
  };
  for_head_runs(plan, first, count, [&](const segment& run, bool changed) {
    auto& own = head_matrix(plan, run, changed);
    if (&own != matrix) {
      flush();
      together = {run.first_row, run.first_row};
      matrix = &own;
    }
    together.last = run.first_row + run.rows;
  });
  flush();
  for_head_runs(plan, first, count, [&](const segment& run, bool changed) {
    if (changed) expand(plan, 0, lora_group::head, run, weights_->head(), blocks, at(run.first_row), stride);
  });
  const auto cap = model_->config().logit_softcap;
  for (std::uint32_t i = 0; i < count && cap > 0; ++i)
    kernels_.softcap({at(i), std::size_t{blocks.last - blocks.first} * block_outputs, cap});
}

void forward::summarise(std::uint32_t count, share pieces) {
  const auto vocab = model_->config().vocab;
  for (std::uint32_t row = 0; row < count; ++row)
    for (auto p = pieces.first; p < pieces.last; ++p) {
      const auto first = p * summary_logits;
      kernels_.summary({memory_.logits.floats(row) + first, std::min(summary_logits, vocab - first),
                        reinterpret_cast<logit_piece*>(memory_.pieces.row(row)) + p});
    }
}

const packed_matrix& forward::head_matrix(const step_plan& plan, const segment& run, bool changed) const {
  if (!changed) return weights_->head();
  auto& own = plan.adapter(run.first_use).head_matrix();
  return own.data ? own : weights_->head();
}

/// Calls `work` for readings [first, first + count) in runs of equal segments: rows of a run count from
/// `first`.
template <class Work>
void forward::for_head_runs(const step_plan& plan, std::uint32_t first, std::uint32_t count,
                            const Work& work) {
  auto segment_at = [&](std::uint32_t i) { return plan.head_segment_of(plan.readings()[first + i].row); };
  for (std::uint32_t begin = 0, end = 0; begin < count; begin = end) {
    auto* s = segment_at(begin);
    for (end = begin + 1; end < count && segment_at(end) == s;)
      ++end;
    segment run = s ? *s : segment{};
    run.first_row = begin;
    run.rows = end - begin;
    work(run, s != nullptr);
  }
}

}  // namespace lorica
