#pragma once

#include <cstdint>
#include <memory>
#include <stop_token>

#include "core/error.hpp"
#include "engine/adapter_weights.hpp"
#include "engine/packed_adapter.hpp"

namespace lorica {

/// Brings adapters into an executor's layout. Const and thread-safe: loader threads call it while steps run.
/// Implemented beside each executor, which knows its layouts.
class adapter_packer {
 public:
  virtual ~adapter_packer() = default;

  /// Packs; looks at `stop` at least every 200 ms and then fails with `errc::cancelled`.
  virtual result<std::shared_ptr<const packed_adapter>> pack(const adapter_weights& weights,
                                                             std::stop_token stop) const = 0;

  /// Bytes that `pack` will hold, for the ledger, without packing.
  virtual std::uint64_t packed_bytes(const adapter_weights& weights) const = 0;
};

}  // namespace lorica
