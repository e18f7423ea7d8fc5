#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/error.hpp"
#include "engine/adapter_weights.hpp"

namespace lorica {

/// The tensors of a module: the two matrices of LoRA, what some have besides, the full copy that
/// `modules_to_save` names, and the copy of the base that PEFT writes beside an adapted embedding or head.
enum class lora_factor : std::uint8_t { a, b, bias, magnitude, copy, base };
inline constexpr std::size_t lora_factor_count = 6;

/// `lora_A`, `lora_B`, `lora_B.bias`, `lora_magnitude_vector`, `weight` or `base_layer.weight`.
constexpr std::string_view to_string(lora_factor f) noexcept {
  constexpr std::string_view names[] = {"lora_A", "lora_B",           "lora_B.bias", "lora_magnitude_vector",
                                        "weight", "base_layer.weight"};
  return names[static_cast<std::size_t>(f)];
}

/// What a tensor's name says.
struct tensor_place {
  std::uint32_t layer = 0;
  projection where = projection::q;
  lora_factor factor = lora_factor::a;
  std::string prefix;  ///< what stands before `layers.` or the last part of the path, with its dot: `model.`
};

/// Reads for `base` `[base_model.model.]<prefix>layers.N.<block>.<projection>.lora_{A,B}[.<adapter>].weight`
/// or `….lora_B[.<adapter>].bias` or `….lora_magnitude_vector[.<adapter>][.weight]`; outside the layers
/// `<prefix>embed_tokens.lora_embedding_{A,B}[.<adapter>]`, the forms above for `lm_head`, and `….weight` and
/// `….base_layer.weight` of both.
/// Prefixes are `model.`, nothing, and the two with `language_model.` before or after (exports of vision
/// models); parts named `_orig_mod` (compiled models) do not count. Everything else is refused by the word
/// that fits.
result<tensor_place> place_tensor(std::string_view name, const model_config& base);

/// The path of a module as PEFT saw it in the model with this prefix; `layer` counts for those in layers.
std::string module_path(std::string_view prefix, std::uint32_t layer, projection where);

}  // namespace lorica
