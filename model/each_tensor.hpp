#pragma once

#include <string_view>
#include <utility>

#include "model/weights.hpp"

namespace lorica {

/// Calls `see(name, view)` for every tensor of a layer, also for those that the model does not have. The
/// bindings name every field: a new one does not compile until it has a place here.
template <class See>
void each_tensor(const layer_weights& layer, See&& see) {
  auto& [attn_norm, q, k, v, o, ffn_norm, gate, up, down, q_bias, k_bias, v_bias, o_bias, gate_bias, up_bias,
         down_bias, q_norm, k_norm, after_attention, after_ffn] = layer;
  const std::pair<std::string_view, const tensor_view*> tensors[] = {{"attn_norm", &attn_norm},
                                                                     {"q", &q},
                                                                     {"k", &k},
                                                                     {"v", &v},
                                                                     {"o", &o},
                                                                     {"ffn_norm", &ffn_norm},
                                                                     {"gate", &gate},
                                                                     {"up", &up},
                                                                     {"down", &down},
                                                                     {"q_bias", &q_bias},
                                                                     {"k_bias", &k_bias},
                                                                     {"v_bias", &v_bias},
                                                                     {"o_bias", &o_bias},
                                                                     {"gate_bias", &gate_bias},
                                                                     {"up_bias", &up_bias},
                                                                     {"down_bias", &down_bias},
                                                                     {"q_norm", &q_norm},
                                                                     {"k_norm", &k_norm},
                                                                     {"after_ffn", &after_ffn},
                                                                     {"after_attention", &after_attention}};
  for (auto& [name, tensor] : tensors)
    see(name, *tensor);
}

/// The same for all of a model: embedding, head and final norm, then layer by layer. Digests follow this
/// order, so it stays.
template <class See>
void each_tensor(const model_weights& model, See&& see) {
  see("embedding", model.embedding());
  see("head", model.head());
  see("final_norm", model.final_norm());
  for (auto& layer : model.layers())
    each_tensor(layer, see);
}

}  // namespace lorica
