#pragma once

#include <cstdint>
#include <vector>

#include "model/model_config.hpp"

namespace lorica {

/// inv_freq[k], k in [0, rotary_dim/2), after scaling and divisors; computed in float64 (RoFormer, section
/// 3.4.2; `llama3`, `yarn` and `longrope` as transformers computes them). `divisors` is empty or has
/// rotary_dim/2 values. `positions` is the longest sequence that will be served: longrope has one set of
/// frequencies for models that stay within their original length and one for longer ones, and a sequence
/// must not change over, since all its keys would change.
std::vector<float> rope_frequencies(const rope_config& rope, std::uint32_t rotary_dim,
                                    std::uint32_t positions);

/// 0.1 mscale ln(factor) + 1, and 1 for factors up to 1 (YaRN, Peng et al. 2023, section 3.4).
double yarn_attention_factor(double factor, double mscale) noexcept;

}  // namespace lorica
