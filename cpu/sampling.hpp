#pragma once

#include <cstdint>
#include <vector>

#include "cpu/step_plan.hpp"
#include "cpu/thread_team.hpp"
#include "cpu/token_history.hpp"
#include "cpu/workspace.hpp"
#include "engine/sampler.hpp"

namespace lorica {

/// Chooses the tokens of a step from its logits with the arithmetic of `engine/sampler`. One sampler per
/// member of the team, which share the rows.
class step_sampler {
 public:
  /// `token_ids`: as in `sampling_context`.
  step_sampler(unsigned members, std::uint32_t vocab, std::uint32_t token_ids)
      : samplers_(members), vocab_(vocab), token_ids_(token_ids) {}

  /// Samples [first + mine.first, first + mine.last) from the logits of rows [mine.first, mine.last), into
  /// `out` at the same places.
  void choose(const step_plan& plan, const token_history& history, const workspace& w, std::uint32_t first,
              share mine, unsigned member, std::vector<sampled_token>& out);

 private:
  std::vector<sampler> samplers_;
  std::uint32_t vocab_;
  std::uint32_t token_ids_;
};

}  // namespace lorica
