#pragma once

#include <cstdint>
#include <vector>

#include "model/model_config.hpp"

namespace lorica {

/// inv_freq[k], k in [0, head_dim/2), after scaling and divisors; computed in float64 (RoFormer,
/// section 3.4.2; `llama3` as in transformers' `_compute_llama3_parameters`). `divisors` is empty or has
/// head_dim/2 values.
std::vector<float> rope_frequencies(const rope_config& rope, std::uint32_t head_dim);

}  // namespace lorica
