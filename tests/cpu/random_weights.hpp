#pragma once

#include <deque>
#include <memory>

#include "model/weights.hpp"
#include "tests/cpu/kernel_inputs.hpp"

namespace lorica::testing {

/// A model of random float32 weights without a file: the matrices that adapters touch.
class random_weights final : public model_weights {
 public:
  explicit random_weights(const model_config& m) {
    config_ = m;
    const auto q = m.heads * m.head_dim, kv = m.kv_heads * m.head_dim;
    embedding_ = matrix(m.vocab, m.hidden);
    head_ = m.tied_head ? embedding_ : matrix(m.vocab, m.hidden);
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
    auto seed = static_cast<std::uint32_t>(900 + numbers_.size());
    auto& of = numbers_.emplace_back(some_numbers(static_cast<std::size_t>(rows * cols), seed));
    return {tensor_type::f32, rows, cols, std::as_bytes(std::span(of)), 0};
  }

  std::deque<std::vector<float>> numbers_;
};

inline std::shared_ptr<const model_weights> weights_like(const model_config& m) {
  return std::make_shared<random_weights>(m);
}

}  // namespace lorica::testing
