#pragma once

#include "core/error.hpp"
#include "files/gguf.hpp"
#include "model/model_config.hpp"

namespace lorica {

/// Reads the metadata of a GGUF file; which biases there are and whether the head is tied is
/// told by its tensor names. `rope.divisors` and longrope's factors stay empty (their values are data),
/// `name` is `general.name` or empty. Failures are `errc::bad_model`.
result<model_config> read_gguf_config(const gguf_header& header);

}  // namespace lorica
