#include "cpu/sampling.hpp"

namespace lorica {

void step_sampler::choose(const step_plan& plan, const token_history& history, const workspace& w,
                          std::uint32_t first, share mine, unsigned member, std::vector<sampled_token>& out) {
  for (auto i = mine.first; i < mine.last; ++i) {
    auto number = plan.samples()[first + i];
    auto& s = plan.step().sequences[number];
    std::span<const float> logits(reinterpret_cast<const float*>(w.logits.row(i)), vocab_);
    auto chosen = samplers_[member].choose(
        logits, {history.tokens(s.slot), s.prompt_tokens, s.sampling, s.choice, token_ids_});
    out[first + i] = {number, chosen.token, chosen.logprob};
  }
}

}  // namespace lorica
