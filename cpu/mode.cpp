#include "cpu/mode.hpp"

namespace lorica {

cpu_mode mode_like(const model_weights& model) noexcept {
  std::size_t quantised = 0, all = 0;
  for (auto& l : model.layers())
    for (auto* matrix : {&l.q, &l.k, &l.v, &l.o, &l.gate, &l.up, &l.down}) {
      ++all;
      quantised += block_elements(matrix->type) != 1 ? 1 : 0;
    }
  return {cpu_dtype::bfloat16, 2 * quantised > all};
}

}  // namespace lorica
