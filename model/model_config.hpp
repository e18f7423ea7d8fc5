#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/ids.hpp"

namespace lorica {

/// Families of the base model that are served.
enum class architecture : std::uint8_t { llama, qwen2 };

/// The word of `model_type` and `general.architecture`.
constexpr std::string_view to_string(architecture a) noexcept {
  return a == architecture::llama ? "llama" : "qwen2";
}

/// Rotary embedding: inv_freq[k] = theta^(-2k/d), then scaled (`rope_frequencies`).
struct rope_config {
  enum class scaling : std::uint8_t { none, linear, llama3 };
  double theta = 10000;
  scaling kind = scaling::none;
  double factor = 1;                            ///< linear, llama3
  double low_freq_factor = 1;                   ///< llama3
  double high_freq_factor = 4;                  ///< llama3
  std::uint32_t original_max_positions = 8192;  ///< llama3
  std::vector<float> divisors;                  ///< GGUF `rope_freqs.weight`, [head_dim/2]; empty: none
};

/// What the base model is, whichever file it came from. Plain data, checked by the reader: every size is
/// positive and head counts divide.
struct model_config {
  architecture arch = architecture::llama;
  std::string name;  ///< public name: `general.name` or the directory's name, never a path
  std::uint32_t layers = 0;
  std::uint32_t hidden = 0;  ///< width of the residual stream
  std::uint32_t heads = 0;   ///< query heads
  std::uint32_t kv_heads = 0;
  std::uint32_t head_dim = 0;  ///< may differ from hidden / heads
  std::uint32_t ffn = 0;       ///< width of gate and up
  std::uint32_t vocab = 0;     ///< rows of embedding and head
  std::uint32_t max_positions = 0;
  float norm_epsilon = 1e-5f;
  bool tied_head = false;  ///< the head is the embedding table
  bool qkv_bias = false;
  bool o_bias = false;
  bool mlp_bias = false;
  rope_config rope;
  std::vector<token_id> eos;  ///< every id that ends a generation
};

}  // namespace lorica
