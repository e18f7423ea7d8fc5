#pragma once

#include <cstdint>
#include <span>

#include "core/sampling_params.hpp"

namespace lorica {

/// Changes logits [vocab] by the rules of a request, in vLLM's order: all but `allowed` are masked; the last
/// token of each of `bad_words` whose others are the newest of `generated`; `late` while fewer than
/// `min_tokens` were generated; then `biases` are added. Masked is -inf, which no bias lifts. Ids outside the
/// logits are passed over. A pure function of its arguments.
void filter_tokens(std::span<float> logits, const token_rules& rules, std::span<const token_id> generated,
                   std::uint32_t min_tokens);

}  // namespace lorica
