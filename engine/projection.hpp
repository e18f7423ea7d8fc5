#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "model/model_config.hpp"

namespace lorica {

/// The maps that an adapter can touch, named as in Hugging Face models: the linear ones of a layer, where
/// `qkv` and `gate_up` are those of models that keep several in one module, and outside the layers the table
/// of embeddings (from a token to its row) and the head. Numbers enter digests: new ones come last.
enum class projection : std::uint8_t { q, k, v, o, gate, up, down, qkv, gate_up, embed, head };

/// Every layer has one.
constexpr bool in_layer(projection p) noexcept {
  return p < projection::embed;
}

/// `q_proj`, …: the last part of a module path.
constexpr std::string_view to_string(projection p) noexcept {
  constexpr std::string_view names[] = {"q_proj",       "k_proj",       "v_proj",    "o_proj",
                                        "gate_proj",    "up_proj",      "down_proj", "qkv_proj",
                                        "gate_up_proj", "embed_tokens", "lm_head"};
  return names[static_cast<std::uint8_t>(p)];
}

/// `self_attn` or `mlp`: the part of a module path before it; of those in layers.
std::string_view block_of(projection p) noexcept;

/// The projections that the layers of `base` have as modules, in the order of their numbers.
std::span<const projection> projections_of(const model_config& base) noexcept;

/// Inputs and outputs of a linear map.
struct projection_shape {
  std::uint64_t in = 0;
  std::uint64_t out = 0;
};

/// The shape of a linear map of `base`.
projection_shape shape_of(const model_config& base, projection where) noexcept;

}  // namespace lorica
