// Linear maps of a step, with what adapters add to them, and the head.
#include <algorithm>

#include "gpu/forward.hpp"
#include "gpu/lora.hpp"
#include "gpu/norm.hpp"
#include "gpu/row_codes.hpp"
#include "gpu/softcap.hpp"

namespace lorica::gpu {

gemm_args forward::product(const device_matrix& matrix, const row_buffer<bfloat>& x,
                           const row_buffer<bfloat>& y, std::uint32_t rows) const noexcept {
  gemm_args a;
  a.x = x.data;
  a.x_stride = x.stride;
  a.rows = rows;
  a.weights = matrix.weights;
  a.depth = matrix.depth;
  a.outputs = matrix.outputs;
  a.bias = matrix.bias;
  a.y = y.data;
  a.y_stride = y.stride;
  return a;
}

/// Of the inputs that were made codes last.
code_gemm_args forward::code_product(const device_matrix& matrix, const row_buffer<bfloat>& y,
                                     std::uint32_t rows) const noexcept {
  code_gemm_args a;
  a.x = p_.memory.codes.data;
  a.x_stride = p_.memory.codes.stride;
  a.x_scales = p_.memory.code_scales;
  a.rows = rows;
  a.weights = matrix.codes;
  a.weight_scales = matrix.scales;
  a.depth = matrix.depth;
  a.outputs = matrix.outputs;
  a.bias = matrix.bias;
  a.y = y.data;
  a.y_stride = y.stride;
  return a;
}

/// A norm has written the codes of what it gave; other inputs become codes here.
result<void> forward::base(const device_matrix& matrix, const row_buffer<bfloat>& x,
                           const row_buffer<bfloat>& y, std::uint32_t rows) {
  if (!matrix.codes) return p_.products.run(product(matrix, x, y, rows), *p_.main);
  const auto& memory = p_.memory;
  if (x.data != memory.normed.data) {
    row_codes_args a;
    a.x = x.data;
    a.x_stride = x.stride;
    a.rows = rows;
    a.width = matrix.depth;
    a.codes = memory.codes.data;
    a.codes_stride = memory.codes.stride;
    a.scales = memory.code_scales;
    if (auto ok = code_rows(a, *p_.main); !ok) return ok;
  }
  return p_.products.run(code_product(matrix, y, rows), *p_.main);
}

/// Without tables, grid and place in the table of adapters.
lora_args forward::lora_of(const device_matrix& matrix, const row_buffer<bfloat>& x,
                           const row_buffer<bfloat>& y) const noexcept {
  lora_args a;
  a.x = x.data;
  a.x_stride = x.stride;
  a.depth = matrix.depth;
  a.inputs = p_.memory.low_rank;
  a.base_bias = matrix.bias;
  a.y = y.data;
  a.y_stride = y.stride;
  a.parts = matrix.parts;
  std::copy(std::begin(matrix.first_output), std::end(matrix.first_output), a.first_output);
  return a;
}

std::vector<lora_args> forward::lora_sites() const {
  const auto& layer = p_.weights.layers().front();
  const auto& memory = p_.memory;
  return {lora_of(layer.gate_up, memory.normed, memory.gate_up),
          lora_of(layer.down, memory.activated, memory.branch)};
}

/// The low-rank inputs are computed beside the base's product, and what comes of them is added behind it.
result<void> forward::linear(std::uint32_t layer, lora_group group, const device_matrix& matrix,
                             const row_buffer<bfloat>& x, const row_buffer<bfloat>& y,
                             const rows_at_hand& rows) {
  const bool low_rank = rows.adapters && rows.adapters->grid.few + rows.adapters->grid.many != 0;
  if (!low_rank) return base(matrix, x, y, rows.count);
  auto a = lora_of(matrix, x, y);
  a.table = p_.adapters->table();
  a.group = group_index(layer, group, static_cast<std::uint32_t>(p_.weights.layers().size()));
  a.segments = rows.adapters->segments;
  a.uses = rows.adapters->uses;
  a.tiles = rows.adapters->tiles;
  a.grid = rows.adapters->grid;
  if (auto ok = p_.forked.record(*p_.main); !ok) return ok;
  if (auto ok = p_.side->wait_for(p_.forked); !ok) return ok;
  if (auto ok = lora_shrink(a, *p_.side); !ok) return ok;
  if (auto ok = p_.joined.record(*p_.side); !ok) return ok;
  if (auto ok = base(matrix, x, y, rows.count); !ok) return ok;
  if (auto ok = p_.main->wait_for(p_.joined); !ok) return ok;
  return lora_expand(a, *p_.main);
}

gemm_args forward::head_product(const bfloat* matrix, std::uint32_t count, std::uint32_t at) const noexcept {
  gemm_args a;
  a.x = p_.memory.normed.row(at);
  a.x_stride = p_.memory.normed.stride;
  a.rows = count;
  a.weights = matrix ? matrix : p_.weights.head().weights;
  a.depth = p_.weights.head().depth;
  a.outputs = p_.weights.head().outputs;
  a.y = p_.memory.logits.row(at);
  a.y_stride = p_.memory.logits.stride;
  a.format = number_format::float32;
  return a;
}

result<void> forward::norm_readings(std::uint32_t first, std::uint32_t count) {
  norm_args a;
  a.x = read_.row(first);
  a.x_stride = read_.stride;
  a.branch = pending_ ? pending_ + first * p_.memory.branch.stride : nullptr;
  a.branch_stride = p_.memory.branch.stride;
  a.weight = p_.weights.final_norm();
  a.rows = count;
  a.width = model().hidden;
  a.epsilon = model().norm_epsilon;
  a.y = p_.memory.normed.data;
  a.y_stride = p_.memory.normed.stride;
  return norm(a, *p_.main);
}

result<void> forward::head(const forward_step& step, std::uint32_t first, std::uint32_t count) {
  if (auto ok = norm_readings(first, count); !ok) return ok;
  const bool own = step.adapters && step.plan->changes_head();
  if (!own) {
    if (auto ok = p_.products.run(head_product(nullptr, count, 0), *p_.main); !ok) return ok;
  } else if (auto ok = changed_head(step); !ok) {
    return ok;
  }
  if (model().logit_softcap <= 0) return {};
  softcap_args a;
  a.x = p_.memory.logits.data;
  a.stride = p_.memory.logits.stride;
  a.rows = count;
  a.width = model().vocab;
  a.cap = model().logit_softcap;
  return softcap(a, *p_.main);
}

/// Neighbouring readings with the same matrix in one product, then what adapters add.
result<void> forward::changed_head(const forward_step& step) {
  if (step.arrive)
    if (auto ok = step.arrive(adapter_arrival::head, 0); !ok) return ok;
  for (auto& run : step.plan->head_runs())
    if (auto ok = p_.products.run(head_product(run.matrix, run.count, run.first), *p_.main); !ok) return ok;
  const auto adapters = step.plan->read_adapters();
  if (adapters.grid.few + adapters.grid.many == 0) return {};
  const auto& head = p_.weights.head();
  lora_args a;
  a.table = p_.adapters->table();
  a.group = group_index(0, lora_group::head, static_cast<std::uint32_t>(p_.weights.layers().size()));
  a.segments = adapters.segments;
  a.uses = adapters.uses;
  a.tiles = adapters.tiles;
  a.grid = adapters.grid;
  a.x = p_.memory.normed.data;
  a.x_stride = p_.memory.normed.stride;
  a.depth = head.depth;
  a.inputs = p_.memory.low_rank;
  a.y = p_.memory.logits.data;
  a.format = number_format::float32;
  a.y_stride = p_.memory.logits.stride;
  a.parts = 1;
  a.first_output[1] = head.outputs;
  if (auto ok = lora_shrink(a, *p_.main); !ok) return ok;
  return lora_expand(a, *p_.main);
}

result<void> forward::prepare(std::uint32_t rows) {
  const auto& memory = p_.memory;
  const auto choose = [&](const device_matrix& m, const row_buffer<bfloat>& x, const row_buffer<bfloat>& y) {
    return m.codes ? p_.products.prepare(code_product(m, y, rows))
                   : p_.products.prepare(product(m, x, y, rows));
  };
  for (auto& l : p_.weights.layers()) {
    if (auto ok = choose(l.qkv, memory.normed, memory.qkv); !ok) return ok;
    if (auto ok = choose(l.o, memory.attended, memory.branch); !ok) return ok;
    if (auto ok = choose(l.gate_up, memory.normed, memory.gate_up); !ok) return ok;
    if (auto ok = choose(l.down, memory.activated, memory.branch); !ok) return ok;
  }
  return p_.products.prepare(head_product(nullptr, rows, 0));
}

}  // namespace lorica::gpu
