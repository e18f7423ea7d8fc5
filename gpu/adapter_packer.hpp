#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <utility>

#include "engine/adapter_packer.hpp"
#include "gpu/adapter_packing.hpp"
#include "gpu/device.hpp"
#include "model/weights.hpp"

namespace lorica::gpu {

/// What adapters that left host memory may leave pinned for the next ones: six of rank 16 of a model of 7B.
inline constexpr std::size_t kept_pinned_bytes = std::size_t{512} << 20;

/// Packs for executors of one model, whose weights, rounded to bfloat16, it looks at for DoRA. Any thread.
class gpu_adapter_packer final : public adapter_packer {
 public:
  /// `on` becomes the device of every thread that packs; without it that is the first one.
  explicit gpu_adapter_packer(std::shared_ptr<const model_weights> base, std::optional<device> on = {})
      : base_(std::move(base)), device_(std::move(on)) {}

  /// Fails with `errc::bad_adapter` when a site does not fit the model, `errc::out_of_memory`, or
  /// `errc::cancelled`; so does what it begins.
  result<std::unique_ptr<adapter_packing>> begin(std::span<const site_shape> sites,
                                                 std::span<const module_copy> copies,
                                                 std::stop_token stop) const override;
  std::uint64_t packed_bytes(const adapter_weights& weights) const override;

 private:
  bool equals_base(const module_copy& copy, const std::stop_token& stop) const;
  kept_copies kept(std::span<const module_copy> copies, const std::stop_token& stop) const;

  std::shared_ptr<const model_weights> base_;
  std::optional<device> device_;
  pinned_pool memory_{kept_pinned_bytes};
};

}  // namespace lorica::gpu
