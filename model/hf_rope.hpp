#pragma once

#include "core/error.hpp"
#include "core/value.hpp"
#include "model/model_config.hpp"

namespace lorica {

/// Reads the rotary parameters of a `config.json` into `out.rope` and `out.rotary_dim`: `rope_parameters` of
/// transformers 5, else `rope_theta` and `rope_scaling` of version 4. Sizes are in `out` already. Types other
/// than default, linear, llama3, yarn and longrope are refused by name.
result<void> read_hf_rope(const value& config, model_config& out);

}  // namespace lorica
