#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <stop_token>

#include "core/error.hpp"
#include "engine/adapter_weights.hpp"
#include "engine/packed_adapter.hpp"

namespace lorica {

/// One adapter on its way into an executor's layout, module by module, so that its numbers need never be in
/// memory all at once. Where it fails nothing is left of it.
class adapter_packing {
 public:
  virtual ~adapter_packing() = default;

  /// Puts one of the announced sites, by its number among them, where it belongs; it is not needed
  /// afterwards. Each once, in any order, several threads at once. Looks at the stop token at least every
  /// 200 ms and then fails with `errc::cancelled`.
  virtual result<void> put(std::size_t number, const lora_site& site) = 0;

  /// To be called once, after all sites.
  virtual result<std::shared_ptr<const packed_adapter>> finish(const adapter_version& version) = 0;
};

/// Brings adapters into an executor's layout. Const and thread-safe: loader threads call it while steps run.
/// Implemented beside each executor, which knows its layouts.
class adapter_packer {
 public:
  virtual ~adapter_packer() = default;

  /// Begins an adapter of these sites, in canonical order. The copies and the packer outlive what it gives.
  virtual result<std::unique_ptr<adapter_packing>> begin(std::span<const site_shape> sites,
                                                         std::span<const module_copy> copies,
                                                         std::stop_token stop) const = 0;

  /// Packs what is in memory already.
  result<std::shared_ptr<const packed_adapter>> pack(const adapter_weights& weights,
                                                     std::stop_token stop) const;

  /// Bytes that the packed adapter will hold, for the ledger, without packing.
  virtual std::uint64_t packed_bytes(const adapter_weights& weights) const = 0;
};

}  // namespace lorica
