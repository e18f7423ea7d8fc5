#include "cpu/embedding.hpp"

#include <cmath>

#include "cpu/bfloat.hpp"
#include "model/rope.hpp"

namespace lorica {

embedding_rule embedding_rule_for(const model_config& m, cpu_dtype dtype, std::uint32_t positions) {
  embedding_rule out;
  out.frequencies = rope_frequencies(m.rope, m.rotary_dim, positions);
  out.rope_factor = static_cast<float>(m.rope.attention_factor);
  out.scale = dtype == cpu_dtype::bfloat16 ? from_bfloat(to_bfloat(m.embedding_scale)) : m.embedding_scale;
  return out;
}

void embed(const model_weights& model, const step_plan& plan, const embedding_rule& rule, workspace& w,
           share mine) {
  const auto hidden = model.config().hidden;
  for (auto row = mine.first; row < mine.last; ++row) {
    auto* x = reinterpret_cast<float*>(w.residual.row(row));
    model.embedding().read_rows(static_cast<std::uint64_t>(plan.token(row)), {x, hidden});
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
