#pragma once

#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "adapters/manifest.hpp"
#include "core/error.hpp"
#include "engine/adapter_weights.hpp"
#include "files/safetensors.hpp"
#include "files/tensor_type.hpp"
#include "model/model_config.hpp"

namespace lorica {

/// Where the elements of one factor lie in `adapter_model.safetensors`.
struct stored_factor {
  std::string name;                     ///< of the tensor, for error texts
  tensor_type type = tensor_type::f32;  ///< F32, F16 or BF16
  std::uint64_t begin = 0;              ///< bytes from the start of the file
  std::uint64_t elements = 0;           ///< all of them fit the file
};

/// One module before its bytes are read.
struct planned_site {
  site_shape shape;
  stored_factor a;                              ///< [rank, in]
  stored_factor b;                              ///< [out, rank]
  std::optional<stored_factor> bias = {};       ///< [out]
  std::optional<stored_factor> magnitude = {};  ///< [out]
};

/// One full copy before its bytes are read.
struct planned_copy {
  projection where = projection::head;
  std::uint32_t rows = 0;
  std::uint32_t cols = 0;
  stored_factor weight;  ///< [rows, cols]
};

/// What is to be read, in canonical order.
struct site_plan {
  std::vector<planned_site> sites;
  std::vector<planned_copy> copies;
  std::vector<std::string> warnings;
};

/// Brings header, manifest and base together without looking at a number: every tensor has its place, pairs
/// are complete, shapes fit base and manifest, no rank is above `max_rank`, and the modules with tensors are
/// exactly those that the manifest targets, each with all that the manifest promises. Fails with
/// `errc::bad_adapter`, or `errc::cancelled`.
result<site_plan> plan_sites(const safetensors_header& header, const adapter_manifest& manifest,
                             const model_config& base, std::uint32_t max_rank, const std::stop_token& stop);

}  // namespace lorica
