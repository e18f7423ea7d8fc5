#pragma once

#include "model/json_fields.hpp"
#include "model/model_config.hpp"

namespace lorica {

/// Reads from `config.json` how scores are scaled, capped and windowed. Sizes are in `out` already. Problems
/// are noted in `in`.
void read_hf_attention(json_fields& in, model_config& out);

}  // namespace lorica
