#pragma once

#include <cstdint>
#include <functional>
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

/// Which of the adapters that could be made.
struct adapter_range {
  std::uint32_t first = 0;
  std::uint32_t count = 0;
};

/// Random adapters, packed for the device in pinned memory, each with a version of its own. `between` is
/// called before each. Throws `failure`, and what `between` does.
adapter_list random_adapters(const std::shared_ptr<const random_weights>& model, const adapter_kind& kind,
                             const adapter_range& which, const std::function<void()>& between = {});

/// Device memory that holds them all, as an executor's option.
std::uint64_t room_for(const adapter_list& adapters) noexcept;

}  // namespace lorica::bench
