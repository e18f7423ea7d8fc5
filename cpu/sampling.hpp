#pragma once

#include <cstdint>
#include <vector>

#include "cpu/step_plan.hpp"
#include "cpu/thread_team.hpp"
#include "cpu/token_history.hpp"
#include "cpu/workspace.hpp"
#include "engine/sampler.hpp"

namespace lorica {

/// Chooses the tokens of a step from its logits, and tells how likely prompt tokens are, with the arithmetic
/// of `engine/sampler`. One sampler per member of the team, which share the rows.
class step_sampler {
 public:
  /// `token_ids`: as in `sampling_context`.
  step_sampler(unsigned members, std::uint32_t vocab, std::uint32_t token_ids)
      : samplers_(members), vocab_(vocab), token_ids_(token_ids) {}

  /// Readings [first + mine.first, first + mine.last) of the logits of rows [mine.first, mine.last), each
  /// into its place in `out`.
  void read(const step_plan& plan, const token_history& history, const workspace& w, std::uint32_t first,
            share mine, unsigned member, step_output& out);

 private:
  logits_summary summary_of(std::span<const float> logits, const logit_piece* pieces) const;

  std::vector<sampler> samplers_;
  std::uint32_t vocab_;
  std::uint32_t token_ids_;
};

}  // namespace lorica
