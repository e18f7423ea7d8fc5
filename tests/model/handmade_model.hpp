#pragma once

#include <cstddef>
#include <vector>

#include "model/weights.hpp"

namespace lorica::testing {

/// A model by hand: one layer, every tensor there and larger than what is `model_digest` hashes whole.
class handmade : public model_weights {
 public:
  static constexpr std::size_t bytes_each = 1 << 16;

  handmade() {
    config_.layers = 1;
    layers_.resize(1);
    auto& l = layers_[0];
    for (auto* t : {&embedding_,  &head_,
                    &final_norm_, &l.attn_norm,
                    &l.q,         &l.k,
                    &l.v,         &l.o,
                    &l.ffn_norm,  &l.gate,
                    &l.up,        &l.down,
                    &l.q_bias,    &l.k_bias,
                    &l.v_bias,    &l.o_bias,
                    &l.gate_bias, &l.up_bias,
                    &l.down_bias, &l.q_norm,
                    &l.k_norm,    &l.after_attention,
                    &l.after_ffn}) {
      bytes.emplace_back(bytes_each);
      *t = {tensor_type::f32, 128, 128, bytes.back(), 0};
      tensors.push_back(t);
    }
  }

  model_config& config() { return config_; }

  std::vector<std::vector<std::byte>> bytes;
  std::vector<tensor_view*> tensors;
};

}  // namespace lorica::testing
