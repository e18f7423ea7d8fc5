#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/ids.hpp"
#include "engine/projection.hpp"

namespace lorica {

/// One adapted module: y = W x + scaling * (B (A x) + bias) (Hu et al. 2021, section 4.1; `lora_B.bias`).
/// With a magnitude m every row i of W + scaling * B A is brought to the length m_i (DoRA, Liu et al. 2024,
/// section 4); biases stay.
struct lora_site {
  std::uint32_t layer = 0;  ///< 0 for those outside the layers
  projection where = projection::q;
  std::uint32_t rank = 0;
  std::uint32_t in = 0;
  std::uint32_t out = 0;
  float scaling = 0;                  ///< alpha / r, or alpha / sqrt(r) with rsLoRA
  std::vector<float> a;               ///< [rank, in]
  std::vector<float> b;               ///< [out, rank]
  std::vector<float> bias = {};       ///< [out], or empty: none (`lora_bias`)
  std::vector<float> magnitude = {};  ///< [out], or empty: none (`use_dora`)
};

/// A site without its numbers.
struct site_shape {
  std::uint32_t layer = 0;
  projection where = projection::q;
  std::uint32_t rank = 0;
  std::uint32_t in = 0;
  std::uint32_t out = 0;
  float scaling = 0;
  bool bias = false;
  bool magnitude = false;

  bool operator==(const site_shape&) const = default;
};

site_shape shape_of(const lora_site& site) noexcept;

/// `layer 3 q_proj`, `lm_head`: for error texts.
std::string name_of(const site_shape& site);

/// A matrix that stands in for the base's: of `projection::embed` or `head` (`modules_to_save`).
struct module_copy {
  projection where = projection::head;
  std::uint32_t rows = 0;     ///< tokens
  std::uint32_t cols = 0;     ///< hidden
  std::vector<float> weight;  ///< [rows, cols]
};

/// An adapter as its file means it: checked, finite, in canonical order (layer, then projection), independent
/// of any executor.
struct adapter_weights {
  adapter_version version;
  std::vector<lora_site> sites;
  std::vector<module_copy> copies = {};  ///< at most one per module, in the order of projections
};

std::vector<site_shape> shapes_of(const adapter_weights& weights);

}  // namespace lorica
