#include "engine/sequence_end.hpp"

#include <algorithm>
#include <cmath>

namespace lorica {

std::optional<finish_reason> end_with(token_id token, const sampling_params& sampling, bool ignore_eos,
                                      std::span<const token_id> eos) {
  if (!ignore_eos && std::ranges::find(eos, token) != eos.end()) return finish_reason::eos_token;
  if (sampling.rules && std::ranges::binary_search(sampling.rules->stops, token))
    return finish_reason::stop_sequence;
  return std::nullopt;
}

bool all_go_on(const batch& step, const step_output& output) {
  if (output.tokens.size() != step.sequences.size()) return false;
  if (std::ranges::any_of(output.scored, [](auto& s) { return !std::isfinite(s.logprob); })) return false;
  return std::ranges::all_of(output.tokens, [&](const sampled_token& t) {
    if (t.token == no_token || !std::isfinite(t.logprob)) return false;
    auto& s = step.sequences[t.sequence];
    return !end_with(t.token, s.sampling, s.ignore_eos, step.eos);
  });
}

}  // namespace lorica
