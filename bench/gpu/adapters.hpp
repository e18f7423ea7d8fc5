#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "bench/gpu/random_weights.hpp"
#include "engine/packed_adapter.hpp"
#include "engine/projection.hpp"

namespace lorica::bench {

using adapter_list = std::vector<std::shared_ptr<const packed_adapter>>;

/// What adapters are alike in.
struct adapter_kind {
  std::vector<projection> on;        ///< of every layer
  std::vector<std::uint32_t> ranks;  ///< dealt in turns
};

/// Every projection of a layer.
std::vector<projection> all_projections();

/// Random adapters, packed for the device in pinned memory, each with a version of its own. Throws `failure`.
adapter_list random_adapters(const std::shared_ptr<const random_weights>& model, const adapter_kind& kind,
                             std::uint32_t count);

/// Device memory that holds them all, as an executor's option.
std::uint64_t room_for(const adapter_list& adapters) noexcept;

}  // namespace lorica::bench
