#include "cpu/sampling.hpp"

#include <utility>

namespace lorica {

void step_sampler::read(const step_plan& plan, const token_history& history, const workspace& w,
                        std::uint32_t first, share mine, unsigned member, step_output& out) {
  for (auto i = mine.first; i < mine.last; ++i) {
    auto& r = plan.readings()[first + i];
    auto& s = plan.step().sequences[r.sequence];
    std::span<const float> logits(reinterpret_cast<const float*>(w.logits.row(i)), vocab_);
    auto told = r.scored == no_token
                    ? samplers_[member].choose(logits, {history.tokens(s.slot), s.prompt_tokens, s.sampling,
                                                        s.choice, token_ids_, s.top})
                    : score(logits, r.scored, s.scored_top, token_ids_);
    auto& into = r.scored == no_token ? out.tokens : out.scored;
    into[r.place] = {r.sequence, told.token, told.logprob, told.rank, std::move(told.top)};
  }
}

}  // namespace lorica
