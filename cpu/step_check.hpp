#pragma once

#include <cstdint>
#include <vector>

#include "core/error.hpp"
#include "cpu/kernels.hpp"
#include "engine/batch.hpp"
#include "engine/executor.hpp"

namespace lorica {

/// What a batch is checked against before any memory is touched.
struct step_bounds {
  const executor_limits& limits;
  std::uint32_t vocab = 0;
  std::uint32_t layers = 0;
  cpu_dtype type = cpu_dtype::float32;
  std::uint32_t max_adapter_ranks = 0;
  const std::vector<std::uint32_t>& known;  ///< per slot: positions whose tokens are known
};

/// Checks the contract of `engine/batch.hpp`; `errc::internal` names the first rule that is broken.
result<void> check_step(const batch& step, const step_bounds& bounds);

}  // namespace lorica
