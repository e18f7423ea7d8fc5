#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <utility>

#include "engine/adapter_packer.hpp"
#include "model/weights.hpp"

namespace lorica::gpu {

/// Packs for executors of one model, whose weights, rounded to bfloat16, it looks at for DoRA. Immutable, any
/// thread.
class gpu_adapter_packer final : public adapter_packer {
 public:
  explicit gpu_adapter_packer(std::shared_ptr<const model_weights> base) : base_(std::move(base)) {}

  /// Fails with `errc::bad_adapter` when a site does not fit the model, `errc::out_of_memory`, or
  /// `errc::cancelled`; so does what it begins.
  result<std::unique_ptr<adapter_packing>> begin(std::span<const site_shape> sites,
                                                 std::span<const module_copy> copies,
                                                 std::stop_token stop) const override;
  std::uint64_t packed_bytes(const adapter_weights& weights) const override;

 private:
  std::shared_ptr<const model_weights> base_;
};

}  // namespace lorica::gpu
