#pragma once

#include <span>
#include <vector>

#include "core/generation.hpp"
#include "engine/top_logprobs.hpp"
#include "text/tokenizer.hpp"

namespace lorica {

/// Alternatives with their texts.
std::vector<token_alternative> token_alternatives(std::span<const token_logprob> top,
                                                  const tokenizer& vocabulary);

}  // namespace lorica
