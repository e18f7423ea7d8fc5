#include "gpu/forward.hpp"

#include "gpu/activation.hpp"
#include "gpu/attention.hpp"
#include "gpu/embedding.hpp"
#include "gpu/kept_rows.hpp"
#include "gpu/lora.hpp"
#include "gpu/lora_embedding.hpp"
#include "gpu/norm.hpp"
#include "gpu/pinned.hpp"
#include "gpu/rope.hpp"
#include "model/rope.hpp"

namespace lorica::gpu {
namespace {

/// As models in bfloat16 were trained with it.
float embedding_scale(const model_config& m) noexcept {
  return to_float(to_bfloat(m.embedding_scale));
}

}  // namespace

result<void> forward::upload_frequencies(std::uint32_t positions) {
  const auto values = rope_frequencies(model().rope, model().rotary_dim, positions);
  auto pinned = pinned_buffer::allocate(values.size() * sizeof(float));
  if (!pinned) return std::move(pinned).error();
  std::ranges::copy(values, pinned->as<float>().begin());
  auto sent = p_.main->to_device(p_.memory.frequencies, pinned->data(), values.size() * sizeof(float));
  auto arrived = p_.main->synchronise();
  return sent ? arrived : sent;
}

result<void> forward::layers(const forward_step& step) {
  rows_at_hand rows{step.plan->rows(), p_.memory.residual, step.adapters ? &step.of_rows : nullptr};
  pending_ = nullptr;
  if (auto ok = embed_rows(step); !ok) return ok;
  const auto last = static_cast<std::uint32_t>(p_.weights.layers().size()) - 1;
  for (std::uint32_t layer = 0; layer <= last; ++layer) {
    if (step.arrive)
      if (auto ok = step.arrive(adapter_arrival::layer, layer); !ok) return ok;
    if (auto ok = keys_and_values(step, layer, rows); !ok) return ok;
    if (layer == last && step.plan->readings().empty() && !step.plan->decodes_only()) return {};
    if (auto ok = attend(step, layer); !ok) return ok;
    if (layer == last)
      if (auto ok = narrow(step, rows); !ok) return ok;
    if (auto ok = rest_of_layer(layer, rows); !ok) return ok;
  }
  read_ = rows.residual;
  return {};
}

result<void> forward::embed_rows(const forward_step& step) {
  const auto& m = model();
  const auto tables = step.plan->tables();
  embedding_args a;
  a.tokens = tables.tokens;
  a.slots = tables.slots;
  a.positions = tables.positions;
  a.rows = step.plan->rows();
  a.table = p_.weights.embedding();
  a.vocab = m.vocab;
  a.width = m.hidden;
  a.scale = embedding_scale(m);
  a.x = p_.memory.residual.data;
  a.x_stride = p_.memory.residual.stride;
  a.frequencies = p_.memory.frequencies;
  a.frequency_count = m.rotary_dim / 2;
  a.rope_factor = static_cast<float>(m.rope.attention_factor);
  a.cos = p_.memory.cos.data;
  a.sin = p_.memory.sin.data;
  if (auto ok = embed(a, *p_.main); !ok) return ok;
  if (!step.plan->changes_embedding()) return {};
  if (step.arrive)
    if (auto ok = step.arrive(adapter_arrival::embedding, 0); !ok) return ok;
  lora_embedding_args l;
  l.adapters = p_.adapters->table();
  l.segments = step.plan->segments();
  l.tokens = a.tokens;
  l.rows = a.rows;
  l.table = a.table;
  l.vocab = a.vocab;
  l.width = a.width;
  l.scale = a.scale;
  l.x = a.x;
  l.x_stride = a.x_stride;
  return lora_embed(l, *p_.main);
}

/// The inputs of `next`, also as codes where it has some.
result<void> forward::norm_rows(const float* weight, const device_matrix& next, const rows_at_hand& rows) {
  norm_args a;
  a.x = rows.residual.data;
  a.x_stride = rows.residual.stride;
  a.branch = pending_;
  a.branch_stride = p_.memory.branch.stride;
  a.weight = weight;
  a.rows = rows.count;
  a.width = model().hidden;
  a.epsilon = model().norm_epsilon;
  a.y = p_.memory.normed.data;
  a.y_stride = p_.memory.normed.stride;
  if (next.codes) {
    a.codes = p_.memory.codes.data;
    a.codes_stride = p_.memory.codes.stride;
    a.scales = p_.memory.code_scales;
  }
  pending_ = nullptr;
  return norm(a, *p_.main);
}

/// What a branch gave is added by the next norm, or at once where the model normalises it first.
result<void> forward::add_branch(const float* weight, const rows_at_hand& rows) {
  pending_ = p_.memory.branch.data;
  if (!weight) return {};
  norm_args a;
  a.x = rows.residual.data;
  a.x_stride = rows.residual.stride;
  a.branch = std::exchange(pending_, nullptr);
  a.branch_stride = p_.memory.branch.stride;
  a.weight = weight;
  a.rows = rows.count;
  a.width = model().hidden;
  a.epsilon = model().norm_epsilon;
  return norm_add(a, *p_.main);
}

result<void> forward::keys_and_values(const forward_step& step, std::uint32_t layer,
                                      const rows_at_hand& rows) {
  const auto& m = model();
  const auto& w = p_.weights.layers()[layer];
  const auto& memory = p_.memory;
  if (auto ok = norm_rows(w.attn_norm, w.qkv, rows); !ok) return ok;
  if (auto ok = linear(layer, lora_group::qkv, w.qkv, memory.normed, memory.qkv, rows); !ok) return ok;
  rope_args a;
  a.query = memory.qkv.data;
  a.key = memory.qkv.data + w.qkv.first_output[1];
  a.value = memory.qkv.data + w.qkv.first_output[2];
  a.stride = memory.qkv.stride;
  a.cos = memory.cos.data;
  a.sin = memory.sin.data;
  a.q_norm = w.q_norm;
  a.k_norm = w.k_norm;
  a.epsilon = m.norm_epsilon;
  a.rows = rows.count;
  a.heads = m.heads;
  a.kv_heads = m.kv_heads;
  a.head_dim = m.head_dim;
  a.rotary_dim = m.rotary_dim;
  a.q = memory.query.data;
  a.q_stride = memory.query.stride;
  a.kv = p_.cache.layer(layer);
  a.tables = step.plan->tables();
  return rope(a, *p_.main);
}

result<void> forward::attend(const forward_step& step, std::uint32_t layer) {
  const auto& m = model();
  attention_args a;
  a.q = p_.memory.query.data;
  a.q_stride = p_.memory.query.stride;
  a.heads = m.heads;
  a.kv_heads = m.kv_heads;
  a.head_dim = m.head_dim;
  a.kv = p_.cache.layer(layer);
  a.tables = step.plan->tables();
  a.window = m.window(layer);
  a.scale = m.attention_scale;
  a.softcap = m.attention_softcap;
  a.y = p_.memory.attended.data;
  a.y_stride = p_.memory.attended.stride;
  decode_rows single;
  single.rows = step.plan->single_rows();
  single.count = step.plan->single_count();
  single.max_positions = p_.limits.max_positions;
  if (single.count <= p_.memory.partial_rows)
    single.parts = attention_parts(single.count, m.kv_heads, single.max_positions, p_.device.multiprocessors);
  single.partials = p_.memory.partials;
  if (auto ok = attend_decode(a, single, *p_.main); !ok) return ok;
  return attend_prefill(a, step.plan->tiles(), step.plan->tile_count(), p_.device, *p_.main);
}

/// Residual stream and what attention gave of the rows that are read alone, moved together.
result<void> forward::narrow(const forward_step& step, rows_at_hand& rows) {
  const auto* read = step.plan->read_rows();
  if (!read) return {};
  const auto& m = model();
  const auto count = static_cast<std::uint32_t>(step.plan->readings().size());
  auto& memory = p_.memory;
  kept_rows_args a;
  a.x = rows.residual.data;
  a.x_stride = rows.residual.stride;
  a.format = number_format::float32;
  a.rows = read;
  a.count = count;
  a.width = m.hidden;
  a.y = memory.kept.data;
  a.y_stride = memory.kept.stride;
  if (auto ok = keep_rows(a, *p_.main); !ok) return ok;
  a.x = memory.attended.data;
  a.x_stride = memory.attended.stride;
  a.format = number_format::bfloat16;
  a.width = m.heads * m.head_dim;
  a.y = memory.kept_attended.data;
  a.y_stride = memory.kept_attended.stride;
  if (auto ok = keep_rows(a, *p_.main); !ok) return ok;
  rows = {count, memory.kept, step.adapters ? &step.of_readings : nullptr};
  return {};
}

result<void> forward::rest_of_layer(std::uint32_t layer, const rows_at_hand& rows) {
  const auto& m = model();
  const auto& w = p_.weights.layers()[layer];
  const auto& memory = p_.memory;
  const auto& attended = rows.residual.data == memory.kept.data ? memory.kept_attended : memory.attended;
  if (auto ok = linear(layer, lora_group::o, w.o, attended, memory.branch, rows); !ok) return ok;
  if (auto ok = add_branch(w.after_attention, rows); !ok) return ok;
  if (auto ok = norm_rows(w.ffn_norm, w.gate_up, rows); !ok) return ok;
  if (auto ok = linear(layer, lora_group::gate_up, w.gate_up, memory.normed, memory.gate_up, rows); !ok)
    return ok;
  activation_args a;
  a.gate = memory.gate_up.data;
  a.up = memory.gate_up.data + w.gate_up.first_output[1];
  a.stride = memory.gate_up.stride;
  a.rows = rows.count;
  a.width = m.ffn;
  a.y = memory.activated.data;
  a.y_stride = memory.activated.stride;
  a.kind = m.activation;
  if (auto ok = activate(a, *p_.main); !ok) return ok;
  if (auto ok = linear(layer, lora_group::down, w.down, memory.activated, memory.branch, rows); !ok)
    return ok;
  return add_branch(w.after_ffn, rows);
}

}  // namespace lorica::gpu
