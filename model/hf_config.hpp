#pragma once

#include "core/error.hpp"
#include "core/value.hpp"
#include "model/model_config.hpp"

namespace lorica {

/// Reads `config.json` as transformers 4 and 5 write it; absent fields take transformers' defaults. End ids
/// are united with those of `generation_config.json` (null when there is none). Everything that would change
/// the computation and is not served is refused by name (`errc::bad_model`). Leaves `name` empty.
result<model_config> read_hf_config(const value& config, const value* generation_config);

}  // namespace lorica
