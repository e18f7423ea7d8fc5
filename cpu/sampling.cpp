#include "cpu/sampling.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace lorica {

/// Pieces joined in their order. The likeliest is looked for in its piece alone; where some ids are never
/// chosen the sampler looks itself.
logits_summary step_sampler::summary_of(std::span<const float> logits, const logit_piece* pieces) const {
  const auto count = (logits.size() + summary_logits - 1) / summary_logits;
  std::size_t best = 0;
  for (std::size_t p = 1; p < count; ++p)
    if (pieces[p].peak > pieces[best].peak) best = p;
  const auto peak = static_cast<double>(pieces[best].peak);
  double sum = 0;
  for (std::size_t p = 0; p < count; ++p)
    sum += static_cast<double>(pieces[p].sum) * std::exp(static_cast<double>(pieces[p].peak) - peak);
  logits_summary out{peak + std::log(sum)};
  if (token_ids_ != 0 && token_ids_ < logits.size()) return out;
  const auto piece = logits.subspan(best * summary_logits);
  const auto found = std::ranges::find(piece, pieces[best].peak);
  if (found != piece.end())
    out.likeliest =
        static_cast<token_id>(best * summary_logits + static_cast<std::size_t>(found - piece.begin()));
  return out;
}

void step_sampler::read(const step_plan& plan, const token_history& history, const workspace& w,
                        std::uint32_t first, share mine, unsigned member, step_output& out) {
  for (auto i = mine.first; i < mine.last; ++i) {
    auto& r = plan.readings()[first + i];
    auto& s = plan.step().sequences[r.sequence];
    std::span<const float> logits(reinterpret_cast<const float*>(w.logits.row(i)), vocab_);
    const auto known = summary_of(logits, reinterpret_cast<const logit_piece*>(w.pieces.row(i)));
    auto told = r.scored == no_token ? samplers_[member].choose(logits, known,
                                                                {history.tokens(s.slot), s.prompt_tokens,
                                                                 s.sampling, s.choice, token_ids_, s.top})
                                     : score(logits, known.total, r.scored, s.scored_top, token_ids_);
    auto& into = r.scored == no_token ? out.tokens : out.scored;
    into[r.place] = {r.sequence, told.token, told.logprob, told.rank, std::move(told.top)};
  }
}

}  // namespace lorica
