#pragma once

#include <cstdint>
#include <vector>

#include "core/ids.hpp"
#include "engine/merge_shape.hpp"

namespace lorica {

/// An adapter in the layout of one executor; opaque to everybody else. Its content is immutable, shared
/// by leases and the steps that read it; destroyed on a loader thread.
class packed_adapter {
 public:
  virtual ~packed_adapter() = default;
  virtual const adapter_version& version() const noexcept = 0;
  virtual std::uint64_t bytes() const noexcept = 0;  ///< memory it holds, at true rank

  /// Seconds until all of an attached one is where steps read it, as was last foreseen; 0: it is there. A
  /// step that names it sooner waits for it, piece by piece. To be called from any thread.
  virtual double seconds_to_come() const noexcept { return 0; }

  virtual std::vector<std::uint32_t> ranks() const = 0;  ///< distinct ranks, ascending

  /// What a linear merge with others asks of it.
  virtual const merge_shape& shape() const noexcept = 0;

  /// Its effect is no update that could be summed or weighted (DoRA): it may only be used in a composition of
  /// one, with weight 1.
  virtual bool stands_alone() const noexcept { return false; }
};

}  // namespace lorica
