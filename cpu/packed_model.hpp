#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "core/error.hpp"
#include "cpu/packed_weights.hpp"
#include "cpu/thread_team.hpp"
#include "model/weights.hpp"

namespace lorica {

/// One layer as the executor reads it: q, k, v joined, gate and up joined; norms and biases as float32.
struct packed_layer {
  packed_weights qkv, o, gate_up, down;
  std::vector<float> attn_norm, ffn_norm;                        ///< [hidden]
  std::vector<float> qkv_bias, o_bias, gate_up_bias, down_bias;  ///< empty: none
};

/// The base model, packed. Immutable.
struct packed_model {
  model_config config;
  std::vector<packed_layer> layers;
  packed_weights head;       ///< [vocab, hidden]
  packed_weights embedding;  ///< empty when the head serves as the table
  std::vector<float> final_norm;
  std::vector<float> cosines, sines;  ///< [positions, head_dim / 2]

  std::uint64_t bytes() const noexcept;

  /// Embedding of a token, out.size() == hidden.
  void embed(token_id token, std::span<float> out) const;
};

/// Packs all tensors; rotary tables up to `positions`.
result<packed_model> pack_model(const model_weights& weights, cpu_dtype type, std::uint32_t positions,
                                thread_team& team);

}  // namespace lorica
