#pragma once

#include <span>
#include <vector>

#include "core/error.hpp"
#include "engine/adapter_weights.hpp"
#include "model/weights.hpp"

namespace lorica {

/// Whether these modules are some that `base` has, each once and of its shape: `errc::bad_adapter` says which
/// is not.
result<void> check_sites(const model_config& base, std::span<const site_shape> sites);

/// The same for full copies.
result<void> check_copies(const model_config& base, std::span<const module_copy> copies);

/// Whether a site has as many numbers as its shape says.
result<void> check_numbers(const lora_site& site);

/// The projections whose outputs a site's B holds one after the other.
std::vector<projection> parts_of(projection where);

/// The base's matrix of a linear map that is no fused one; `layer` says nothing of the head.
const tensor_view& weights_of(const model_weights& base, std::uint32_t layer, projection part) noexcept;

}  // namespace lorica
