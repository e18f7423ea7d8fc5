#include "bench/made_up_weights.hpp"

#include <span>

namespace lorica::bench {

void made_up_weights::lay_out(const model_config& m, const matrix_maker& make) {
  config_ = m;
  const auto q = m.heads * m.head_dim, kv = m.kv_heads * m.head_dim;
  embedding_ = make(m.vocab, m.hidden);
  head_ = m.tied_head ? embedding_ : make(m.vocab, m.hidden);
  layers_.resize(m.layers);
  for (auto& l : layers_) {
    l.q = make(q, m.hidden);
    l.k = make(kv, m.hidden);
    l.v = make(kv, m.hidden);
    l.o = make(m.hidden, q);
    l.gate = make(m.ffn, m.hidden);
    l.up = make(m.ffn, m.hidden);
    l.down = make(m.hidden, m.ffn);
  }
}

float_weights::float_weights(const model_config& m, number_maker numbers, std::uint32_t first_seed) {
  lay_out(m, [&](std::uint64_t rows, std::uint64_t cols) -> tensor_view {
    const auto seed = first_seed + static_cast<std::uint32_t>(numbers_.size());
    auto& of = numbers_.emplace_back(numbers(static_cast<std::size_t>(rows * cols), seed));
    return {tensor_type::f32, rows, cols, std::as_bytes(std::span(of)), 0};
  });
}

}  // namespace lorica::bench
