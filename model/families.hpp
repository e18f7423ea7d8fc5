#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/ids.hpp"
#include "model/model_config.hpp"

namespace lorica {

/// A family of models: its names, and what transformers assumes where `config.json` says nothing.
struct family {
  architecture arch;
  std::string_view word;    ///< `model_type`; `general.architecture` but for Mistral, which GGUF calls llama
  std::string_view head;    ///< in `architectures`: the language model among the heads
  std::uint32_t positions;  ///< `max_position_embeddings`
  double epsilon;           ///< `rms_norm_eps`
  std::uint32_t head_dim;   ///< 0: hidden / heads
  bool tied_head;           ///< `tie_word_embeddings`
  token_id eos;             ///< `eos_token_id`; -1: none
  std::uint32_t window;     ///< `sliding_window`; 0: none
  bool permuted_gguf;       ///< GGUF stores the rows of q and k with rotary pairs side by side
};

/// The family of `arch`.
const family& family_of(architecture arch) noexcept;

/// The family with this `model_type`; null when it is not served.
const family* find_family(std::string_view model_type) noexcept;

/// The family that a GGUF file calls so; null when it is not served.
const family* find_gguf_family(std::string_view architecture) noexcept;

/// The words of all families, for error texts: `llama, mistral, …`.
std::string family_words();

/// The word of `model_type`.
inline std::string_view to_string(architecture a) noexcept {
  return family_of(a).word;
}

}  // namespace lorica
