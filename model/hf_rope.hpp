#pragma once

#include <cstdint>

#include "core/error.hpp"
#include "core/value.hpp"
#include "model/model_config.hpp"

namespace lorica {

/// Rotary parameters of a `config.json`: `rope_parameters` of transformers 5, else `rope_theta` and
/// `rope_scaling` of version 4. Types other than default, linear and llama3 are refused by name.
result<rope_config> read_hf_rope(const value& config, std::uint32_t max_positions);

}  // namespace lorica
