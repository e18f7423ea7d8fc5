#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "engine/adapter_weights.hpp"
#include "engine/projection.hpp"

namespace lorica {

/// One adapted module and its rank.
struct module_rank {
  std::uint32_t layer = 0;  ///< 0 for those outside the layers
  projection where = projection::q;
  std::uint32_t rank = 0;
};

/// What decides whether adapters can be merged matrix by matrix. A function of their content.
struct merge_shape {
  std::vector<module_rank> modules = {};  ///< in canonical order
  std::optional<float> scaling = {};  ///< the same for all modules; nothing: they differ, or there are none
  bool output_biases = false;         ///< holds biases of `lora_B`
};

merge_shape merge_shape_of(std::span<const site_shape> sites);

}  // namespace lorica
