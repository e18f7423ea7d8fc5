#pragma once

#include <cstdint>
#include <vector>

#include "model/model_config.hpp"

namespace lorica {

/// inv_freq[k], k in [0, head_dim/2), after scaling; computed in float64 (Llama 3 report / transformers
/// `_compute_llama3_parameters` for `llama3`).
std::vector<float> rope_frequencies(const rope_config& rope, std::uint32_t head_dim);

}  // namespace lorica
