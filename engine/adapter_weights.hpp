#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "core/ids.hpp"

namespace lorica {

/// The linear maps of a layer that an adapter can touch, named as in Hugging Face models.
enum class projection : std::uint8_t { q, k, v, o, gate, up, down };
inline constexpr std::uint32_t projection_count = 7;

/// `q_proj`, …: the last part of a module path.
constexpr std::string_view to_string(projection p) noexcept {
  constexpr std::string_view names[] = {"q_proj",    "k_proj",  "v_proj",   "o_proj",
                                        "gate_proj", "up_proj", "down_proj"};
  return names[static_cast<std::uint8_t>(p)];
}

/// One adapted module: y = W x + scaling * B (A x) (Hu et al. 2021, section 4.1).
struct lora_site {
  std::uint32_t layer = 0;
  projection where = projection::q;
  std::uint32_t rank = 0;
  std::uint32_t in = 0;
  std::uint32_t out = 0;
  float scaling = 0;     ///< alpha / r, or alpha / sqrt(r) with rsLoRA
  std::vector<float> a;  ///< [rank, in]
  std::vector<float> b;  ///< [out, rank]
};

/// An adapter as its file means it: checked, finite, in canonical order (layer, then projection), independent
/// of any executor.
struct adapter_weights {
  adapter_version version;
  std::vector<lora_site> sites;
};

}  // namespace lorica
