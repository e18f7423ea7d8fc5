#pragma once

#include <cstdint>
#include <memory>

#include "app/engine_choice.hpp"
#include "config/settings.hpp"
#include "core/error.hpp"
#include "model/weights.hpp"

namespace lorica {

/// Bytes that an executor may take of a device that has `all` and `free` of them: its share of all, never
/// more than is free, less what the driver, its code and graphs need of it.
std::uint64_t device_budget(std::uint64_t all, std::uint64_t free, double share) noexcept;

/// The executor on the first CUDA device, within its budget. Fails with `errc::out_of_memory` (the text names
/// the settings that take what), `errc::bad_config`, or as `gpu::make_gpu_executor` does.
result<chosen_engine> make_on_cuda(const serve_settings& s, const std::shared_ptr<const model_weights>& model,
                                   std::uint32_t token_ids);

}  // namespace lorica
