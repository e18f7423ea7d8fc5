#pragma once

#include <chrono>
#include <cstdint>
#include <vector>

#include "core/error.hpp"
#include "engine/executor.hpp"
#include "gpu/adapter_slots.hpp"
#include "gpu/device.hpp"
#include "gpu/executor.hpp"
#include "gpu/step_plan.hpp"
#include "gpu/step_sampler.hpp"
#include "gpu/workspace.hpp"
#include "model/model_config.hpp"

namespace lorica::gpu {

/// What an executor is made in, worked out of its options once.
struct executor_sizes {
  executor_limits limits;  ///< without bytes
  low_rank_room low_rank;
  workspace_sizes memory;
  sampler_limits sampling;
  adapter_slots_options adapters;
  std::vector<std::uint32_t> graph_rows;  ///< rows of recorded steps, ascending
  bool same_products = false;
  std::chrono::milliseconds measure{0};
};

/// Where everything lies that the device is told of a step: in one buffer, brought there by one copy.
struct step_sections {
  step_layout layout;
  step_plan::sections plan;
  step_sampler::sections sampler;

  explicit step_sections(const executor_sizes& sizes);
};

/// Fails with `errc::bad_config` or `errc::bad_model`; the text names the option.
result<void> check(const gpu_options& o, const model_config& m);

executor_sizes sizes_of(const gpu_options& o, const model_config& m);

}  // namespace lorica::gpu
