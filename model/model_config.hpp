#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/ids.hpp"

namespace lorica {

/// Families of the base model that are served; `families.hpp` says what each assumes.
enum class architecture : std::uint8_t { llama, mistral, qwen2, qwen3, phi3, gemma, gemma2 };

/// What becomes of the gate before it is multiplied with up.
enum class activation_kind : std::uint8_t {
  silu,       ///< g / (1 + exp(-g))
  gelu,       ///< g (1 + erf(g / sqrt(2))) / 2
  gelu_tanh,  ///< its approximation by tanh (Hendrycks and Gimpel 2016)
};

/// Rotary embedding: inv_freq[k] = theta^(-2k/d), then scaled (`rope_frequencies`).
struct rope_config {
  enum class scaling : std::uint8_t { none, linear, llama3, yarn, longrope };
  double theta = 10000;
  scaling kind = scaling::none;
  double factor = 1;                            ///< linear, llama3, yarn
  double low_freq_factor = 1;                   ///< llama3
  double high_freq_factor = 4;                  ///< llama3
  std::uint32_t original_max_positions = 8192;  ///< llama3, yarn, longrope
  double beta_fast = 32;                        ///< yarn
  double beta_slow = 1;                         ///< yarn
  bool truncate = true;                         ///< yarn: whole dimensions bound the ramp
  double attention_factor = 1;                  ///< of cos and sin: yarn, longrope
  std::vector<float> short_factor;              ///< longrope, [rotary_dim/2]
  std::vector<float> long_factor;               ///< longrope, [rotary_dim/2]
  std::vector<float> divisors;                  ///< GGUF `rope_freqs.weight`, [rotary_dim/2]; empty: none
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
  std::uint32_t head_dim = 0;    ///< may differ from hidden / heads
  std::uint32_t rotary_dim = 0;  ///< leading dimensions of a head that turn; the others pass
  std::uint32_t ffn = 0;         ///< width of gate and up
  std::uint32_t vocab = 0;       ///< rows of embedding and head
  std::uint32_t max_positions = 0;
  float norm_epsilon = 1e-5f;
  float embedding_scale = 1;    ///< of a token's embedding
  float attention_scale = 0;    ///< of q·k before the softmax
  float attention_softcap = 0;  ///< scores become cap tanh(score / cap) (Gemma 2); 0: they stay
  float logit_softcap = 0;      ///< the same for the head's logits
  activation_kind activation = activation_kind::silu;
  bool tied_head = false;  ///< the head is the embedding table
  bool qkv_bias = false;
  bool o_bias = false;
  bool mlp_bias = false;
  bool qk_norm = false;       ///< RMSNorm of each head of q and k before they turn (Qwen3)
  bool branch_norms = false;  ///< RMSNorm of what attention and MLP add (Gemma 2)
  bool fused = false;         ///< q, k, v are one module, gate and up another: adapters name these (Phi-3)
  /// Per layer: a token sees itself and the w - 1 before it; 0: all. Empty: 0 for every layer.
  std::vector<std::uint32_t> windows;
  rope_config rope;
  std::vector<token_id> eos;  ///< every id that ends a generation

  std::uint32_t window(std::uint32_t layer) const noexcept { return windows.empty() ? 0 : windows[layer]; }
};

}  // namespace lorica
