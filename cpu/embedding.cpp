#include "cpu/embedding.hpp"

#include <cmath>

namespace lorica {

void embed(const model_weights& model, const step_plan& plan, const std::vector<float>& frequencies,
           workspace& w, share mine) {
  for (auto row = mine.first; row < mine.last; ++row) {
    auto* x = reinterpret_cast<float*>(w.residual.row(row));
    model.embedding().read_rows(static_cast<std::uint64_t>(plan.token(row)), {x, model.config().hidden});
    auto* cos = reinterpret_cast<float*>(w.cos.row(row));
    auto* sin = reinterpret_cast<float*>(w.sin.row(row));
    for (std::size_t k = 0; k < frequencies.size(); ++k) {
      const float angle = static_cast<float>(plan.position(row)) * frequencies[k];
      cos[k] = std::cos(angle);
      sin[k] = std::sin(angle);
    }
  }
}

}  // namespace lorica
