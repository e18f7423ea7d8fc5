#include "cpu/embedding.hpp"

#include <cmath>

#include "cpu/bfloat.hpp"
#include "cpu/stored_number.hpp"
#include "model/rope.hpp"

namespace lorica {

embedding_rule embedding_rule_for(const model_config& m, cpu_dtype dtype, std::uint32_t positions) {
  embedding_rule out;
  out.frequencies = rope_frequencies(m.rope, m.rotary_dim, positions);
  out.rope_factor = static_cast<float>(m.rope.attention_factor);
  out.scale = dtype == cpu_dtype::bfloat16 ? from_bfloat(to_bfloat(m.embedding_scale)) : m.embedding_scale;
  return out;
}

namespace {

/// The token's row of the base's table, or of the one that its adapter brings.
void read_token(const model_weights& model, const packed_matrix* tied, const step_plan& plan,
                const segment* s, std::uint32_t row, std::uint32_t element_size, std::span<float> x) {
  const auto token = static_cast<std::size_t>(plan.token(row));
  const auto* table = s ? plan.adapter(s->first_use).embedding().table : nullptr;
  if (!table && tied) return tied->read_output(static_cast<std::uint32_t>(token), x);
  if (!table) return model.embedding().read_rows(token, x);
  for (std::size_t k = 0; k < x.size(); ++k)
    x[k] = read_number(table, element_size, token * x.size() + k);
}

/// x += B u with u = `input(r)`, by way of the row of `low_rank`.
template <class Input>
void add_low_rank(const packed_embedding& e, const Input& input, const kernel_table& kernels,
                  std::uint32_t hidden, const row_buffer& low_rank, std::uint32_t row, float* x) {
  auto* u = low_rank.row(row);
  for (std::size_t r = 0; r < e.rank; ++r)
    write_number(input(r), u, low_rank.element_size, r);
  gemm_args a;
  a.x = u;
  a.rows = 1;
  a.weights = e.b;
  a.depth = e.rank;
  a.blocks = blocks_for(hidden);
  a.y = x;
  a.into = gemm_into::add;
  kernels.gemm(a);
}

/// A_token of one adapter, times its weight.
float weighted_a(const step_plan& plan, std::uint32_t use, std::size_t token, std::uint32_t element_size,
                 std::size_t r) noexcept {
  auto& e = plan.adapter(use).embedding();
  return e.rank == 0 ? 0.0f
                     : read_number(e.a, element_size, token * e.rank + r) * plan.step().uses[use].weight;
}

/// u of one adapter of a segment: w scaling A_token, or s w (sum of w_j A_j,token) where they are merged.
float embedding_input(const step_plan& plan, const segment& s, std::uint32_t use, std::size_t token,
                      std::uint32_t element_size, std::size_t r) noexcept {
  auto& e = plan.adapter(use).embedding();
  auto weight = plan.step().uses[use].weight;
  if (s.combine == combination::sum)
    return read_number(e.a, element_size, token * e.rank + r) * e.scaling * weight;
  float sum = 0;
  for (std::uint32_t other = s.first_use; other < s.first_use + s.uses; ++other)
    sum += weighted_a(plan, other, token, element_size, r);
  return sum * (plan.merge_scaling(s) * weight);
}

}  // namespace

void embed(const model_weights& model, const packed_matrix* tied, const kernel_table& kernels,
           const step_plan& plan, const embedding_rule& rule, workspace& w, share mine) {
  const auto hidden = model.config().hidden;
  for (auto row = mine.first; row < mine.last; ++row) {
    auto* x = reinterpret_cast<float*>(w.residual.row(row));
    const auto* s = plan.segment_of(row);
    read_token(model, tied, plan, s, row, w.low_rank.element_size, {x, hidden});
    const auto token = static_cast<std::size_t>(plan.token(row));
    for (std::uint32_t u = 0; s && u < s->uses; ++u) {
      const auto use = s->first_use + u;
      auto& e = plan.adapter(use).embedding();
      auto input = [&](std::size_t r) {
        return embedding_input(plan, *s, use, token, w.low_rank.element_size, r);
      };
      if (e.rank != 0) add_low_rank(e, input, kernels, hidden, w.low_rank, row, x);
    }
    for (std::uint32_t i = 0; i < hidden && rule.scale != 1; ++i)
      x[i] *= rule.scale;
    auto* cos = reinterpret_cast<float*>(w.cos.row(row));
    auto* sin = reinterpret_cast<float*>(w.sin.row(row));
    for (std::size_t k = 0; k < rule.frequencies.size(); ++k) {
      const float angle = static_cast<float>(plan.position(row)) * rule.frequencies[k];
      cos[k] = std::cos(angle) * rule.rope_factor;
      sin[k] = std::sin(angle) * rule.rope_factor;
    }
  }
}

}  // namespace lorica
