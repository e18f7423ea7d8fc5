#pragma once

#include <memory>

#include "bench/made_up_weights.hpp"
#include "tests/cpu/kernel_inputs.hpp"

namespace lorica::testing {

/// A model of random float32 weights without a file: the matrices that adapters touch.
inline std::shared_ptr<const model_weights> weights_like(const model_config& m) {
  return std::make_shared<bench::float_weights>(m, some_numbers, 900);
}

}  // namespace lorica::testing
