#pragma once

#include <vector>

#include "model/weights.hpp"
#include "tests/catch.hpp"

namespace lorica {

/// Every tensor of a model, in one order; empty views where it has none.
inline std::vector<tensor_view> tensors_of(const model_weights& model) {
  std::vector<tensor_view> out = {model.embedding(), model.head(), model.final_norm()};
  for (auto& l : model.layers())
    for (auto& t : {l.attn_norm,
                    l.q,
                    l.k,
                    l.v,
                    l.o,
                    l.ffn_norm,
                    l.gate,
                    l.up,
                    l.down,
                    l.q_bias,
                    l.k_bias,
                    l.v_bias,
                    l.o_bias,
                    l.gate_bias,
                    l.up_bias,
                    l.down_bias,
                    l.q_norm,
                    l.k_norm,
                    l.after_attention,
                    l.after_ffn})
      out.push_back(t);
  return out;
}

/// All elements as float32, in Hugging Face order.
inline std::vector<float> values_of(const tensor_view& t) {
  std::vector<float> out(static_cast<std::size_t>(t.rows * t.cols));
  t.read_rows(0, out);
  return out;
}

inline void check_same_weights(const model_weights& a, const model_weights& b) {
  const auto left = tensors_of(a);
  const auto right = tensors_of(b);
  REQUIRE(left.size() == right.size());
  for (std::size_t i = 0; i < left.size(); ++i) {
    INFO("tensor " << i);
    CHECK(values_of(left[i]) == values_of(right[i]));
  }
}

/// Equal but for the name.
inline void check_same_config(const model_config& a, const model_config& b) {
  CHECK(a.arch == b.arch);
  CHECK(a.layers == b.layers);
  CHECK(a.hidden == b.hidden);
  CHECK(a.heads == b.heads);
  CHECK(a.kv_heads == b.kv_heads);
  CHECK(a.head_dim == b.head_dim);
  CHECK(a.ffn == b.ffn);
  CHECK(a.vocab == b.vocab);
  CHECK(a.max_positions == b.max_positions);
  CHECK(a.norm_epsilon == b.norm_epsilon);
  CHECK(a.tied_head == b.tied_head);
  CHECK(a.rope.theta == b.rope.theta);
  CHECK(a.eos == b.eos);
}

}  // namespace lorica
