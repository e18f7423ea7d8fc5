#pragma once

#include <cmath>
#include <string>

#include "model/rope.hpp"
#include "tests/model/same_weights.hpp"

namespace lorica {

/// What must hold for every model that opens, whatever its files say; empty when it does. Reads every
/// element.
inline std::string broken_rule(const model_weights& model) {
  auto& c = model.config();
  if (c.name.empty() || c.name.size() > 256 || c.name.find('\n') != std::string::npos)
    return "no name to show";
  if (c.layers == 0 || c.hidden == 0 || c.heads == 0 || c.kv_heads == 0 || c.ffn == 0 || c.vocab == 0)
    return "a size is 0";
  if (c.max_positions == 0 || c.heads % c.kv_heads != 0) return "heads or positions do not fit";
  if (c.head_dim == 0 || c.head_dim % 2 != 0 || c.rotary_dim == 0 || c.rotary_dim % 2 != 0 ||
      c.rotary_dim > c.head_dim)
    return "rotary pairs do not fit";
  if (model.layers().size() != c.layers) return "layers are missing";
  if (!c.windows.empty() && c.windows.size() != c.layers) return "windows are not those of the layers";
  if (!std::isfinite(c.norm_epsilon) || c.norm_epsilon < 0) return "the epsilon is no number";
  for (auto factor : {c.attention_scale, c.embedding_scale})
    if (!std::isfinite(factor) || factor <= 0) return "a scale is no number above 0";
  for (auto cap : {c.attention_softcap, c.logit_softcap})
    if (!std::isfinite(cap) || cap < 0) return "a cap is no number from 0";
  if (!std::isfinite(c.rope.attention_factor) || c.rope.attention_factor <= 0)
    return "the attention factor is no number above 0";
  for (auto positions : {1u, c.max_positions})
    for (auto frequency : rope_frequencies(c.rope, c.rotary_dim, positions))
      if (!std::isfinite(frequency) || frequency < 0) return "a rotary frequency is no number from 0";
  for (auto id : c.eos)
    if (id < 0 || static_cast<std::uint32_t>(id) >= c.vocab) return "an end id is outside the vocabulary";
  for (auto& t : tensors_of(model)) {
    if (!t) continue;
    const auto blocks = t.rows * (t.cols / block_elements(t.type));
    if (t.cols % block_elements(t.type) != 0 || t.bytes.size() != blocks * block_bytes(t.type))
      return "a tensor does not have the bytes of its shape";
    if (t.permuted_heads != 0 && t.rows % (2 * std::uint64_t{t.permuted_heads}) != 0)
      return "rows cannot be permuted";
    if (values_of(t).size() != t.rows * t.cols) return "a tensor lost elements";
  }
  return {};
}

}  // namespace lorica
