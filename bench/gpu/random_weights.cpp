#include "bench/gpu/random_weights.hpp"

#include <algorithm>
#include <span>

namespace lorica::bench {
namespace {

constexpr float deviation = 0.02f;  // as models are initialised with

std::size_t largest_matrix(const model_config& m) {
  const auto widest = std::max({m.vocab, m.ffn, m.heads * m.head_dim});
  return std::size_t{widest} * m.hidden;
}

}  // namespace

random_weights::random_weights(const model_config& m)
    : numbers_(largest_matrix(m), deviation, 1), norm_(m.hidden) {
  for (std::size_t i = 0; i < norm_.size(); ++i)
    norm_[i] = 1 + gpu::to_float(numbers_.part(i, 1)[0]);
  lay_out(m, [this](std::uint64_t rows, std::uint64_t cols) { return matrix(rows, cols); });
  const tensor_view norm{tensor_type::f32, 1, m.hidden, std::as_bytes(std::span(norm_)), 0};
  final_norm_ = norm;
  for (auto& l : layers_)
    l.attn_norm = l.ffn_norm = norm;
}

tensor_view random_weights::matrix(std::uint64_t rows, std::uint64_t cols) {
  return {tensor_type::bf16, rows, cols, std::as_bytes(numbers_.part(next_++, rows * cols)), 0};
}

}  // namespace lorica::bench
