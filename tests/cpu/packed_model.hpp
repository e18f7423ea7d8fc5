#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "cpu/packed_cache.hpp"
#include "cpu/weights_digest.hpp"
#include "tests/catch.hpp"
#include "tests/cpu/random_weights.hpp"

namespace lorica::testing {

inline std::shared_ptr<const model_weights> golden_weights(const std::string& name) {
  auto out = open_model(LORICA_TEST_DATA "/golden/models/" + name);
  if (!out) FAIL(out.error().text);
  return *out;
}

/// A model whose packed weights have several parts of 4 MiB: 9.9 MiB in float32.
inline std::shared_ptr<const model_weights> several_parts() {
  model_config m;
  m.layers = 1;
  m.hidden = 512;
  m.heads = 4;
  m.kv_heads = 4;
  m.head_dim = 32;
  m.ffn = 512;
  m.vocab = 3000;
  m.tied_head = true;
  return weights_like(m);
}

inline std::unique_ptr<const packed_weights> pack(const model_weights& model, cpu_mode mode,
                                                  thread_team& team) {
  auto out = packed_weights::pack(model, mode, team, {});
  if (!out) FAIL(out.error().text);
  return *std::move(out);
}

inline packed_key key_of(const model_weights& model, cpu_mode mode, isa instructions = isa::portable) {
  thread_team one(1);
  return {weights_digest(model, one), mode, instructions};
}

/// Where every pointer of packed weights leads, counted from their first byte; -1 for null.
inline std::vector<std::ptrdiff_t> places_in(const packed_weights& w) {
  std::vector<std::ptrdiff_t> out;
  auto add = [&](const void* at) {
    out.push_back(at ? static_cast<const std::byte*>(at) - w.contents().data() : -1);
  };
  auto matrix = [&](const packed_matrix& m) {
    add(m.data);
    add(m.bias);
    out.insert(out.end(), {static_cast<std::ptrdiff_t>(m.format), m.depth, m.blocks});
    out.insert(out.end(), std::begin(m.first_block), std::end(m.first_block));
  };
  for (auto& l : w.layers()) {
    for (auto* m : {&l.qkv, &l.o, &l.gate_up, &l.down})
      matrix(*m);
    for (auto* v : {l.attn_norm, l.ffn_norm, l.after_attention, l.after_ffn, l.q_norm, l.k_norm})
      add(v);
  }
  matrix(w.head());
  add(w.final_norm());
  out.push_back(w.tied_embedding() == nullptr ? 0 : 1);
  return out;
}

inline bool same_packed(const packed_weights& a, const packed_weights& b) {
  return std::ranges::equal(a.contents(), b.contents()) && places_in(a) == places_in(b);
}

}  // namespace lorica::testing
