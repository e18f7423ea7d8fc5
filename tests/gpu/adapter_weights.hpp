#pragma once

// Models and adapters without files.

#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <vector>

#include "engine/adapter_weights.hpp"
#include "model/weights.hpp"
#include "tests/gpu/test_device.hpp"

namespace lorica::testing {

/// A model of numbers that bfloat16 holds: the matrices that adapters touch.
class made_up_weights final : public model_weights {
 public:
  explicit made_up_weights(const model_config& m) {
    config_ = m;
    const auto q = m.heads * m.head_dim, kv = m.kv_heads * m.head_dim;
    embedding_ = matrix(m.vocab, m.hidden);
    head_ = matrix(m.vocab, m.hidden);
    layers_.resize(m.layers);
    for (auto& l : layers_) {
      l.q = matrix(q, m.hidden);
      l.k = matrix(kv, m.hidden);
      l.v = matrix(kv, m.hidden);
      l.o = matrix(m.hidden, q);
      l.gate = matrix(m.ffn, m.hidden);
      l.up = matrix(m.ffn, m.hidden);
      l.down = matrix(m.hidden, m.ffn);
    }
  }

 private:
  tensor_view matrix(std::uint64_t rows, std::uint64_t cols) {
    auto& of = numbers_.emplace_back(
        exact_numbers(static_cast<std::size_t>(rows * cols), static_cast<std::uint32_t>(numbers_.size())));
    return {tensor_type::f32, rows, cols, std::as_bytes(std::span(of)), 0};
  }

  std::deque<std::vector<float>> numbers_;
};

inline model_config small_model() {
  model_config m;
  m.layers = 2;
  m.hidden = 41;
  m.heads = 4;
  m.kv_heads = 2;
  m.head_dim = 10;
  m.ffn = 70;
  m.vocab = 99;
  return m;
}

/// A site of `base` with numbers that bfloat16 holds.
inline lora_site site_of(const model_config& base, std::uint32_t layer, projection where, std::uint32_t rank,
                         float scaling = 0.5f) {
  const auto shape = shape_of(base, where);
  lora_site out;
  out.layer = layer;
  out.where = where;
  out.rank = rank;
  out.in = static_cast<std::uint32_t>(shape.in);
  out.out = static_cast<std::uint32_t>(shape.out);
  out.scaling = scaling;
  const auto seed = layer * 100 + static_cast<std::uint32_t>(where) * 7 + rank;
  out.a = exact_numbers(std::size_t{rank} * out.in, seed);
  out.b = exact_numbers(std::size_t{rank} * out.out, seed + 1);
  return out;
}

}  // namespace lorica::testing
