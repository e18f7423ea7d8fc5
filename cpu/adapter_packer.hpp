#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <utility>

#include "cpu/adapter_packing.hpp"
#include "engine/adapter_packer.hpp"
#include "model/weights.hpp"

namespace lorica {

/// Packs for executors of one model and format, whose weights it looks at for DoRA. Immutable, any thread.
class cpu_adapter_packer final : public adapter_packer {
 public:
  cpu_adapter_packer(std::shared_ptr<const model_weights> base, cpu_mode mode)
      : base_(std::move(base)), model_(base_->config()), mode_(mode) {}

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
  const model_config& model_;  // of `base_`
  cpu_mode mode_;
};

}  // namespace lorica
