#include "cpu/packed_model.hpp"

#include <cmath>
#include <initializer_list>

#include "model/rope.hpp"

namespace lorica {
namespace {

std::vector<float> read_vector(const tensor_view& t) {
  std::vector<float> out(t.rows * t.cols);
  if (t) t.read_rows(0, out);
  return out;
}

/// Biases of joined projections, zeros where one has none; empty when none has.
std::vector<float> join_biases(std::initializer_list<std::pair<const tensor_view*, std::uint64_t>> parts) {
  bool any = false;
  for (auto& [bias, size] : parts)
    any = any || *bias;
  std::vector<float> out;
  if (!any) return out;
  for (auto& [bias, size] : parts) {
    auto values = read_vector(*bias);
    values.resize(size);
    out.insert(out.end(), values.begin(), values.end());
  }
  return out;
}

result<packed_layer> pack_layer(const layer_weights& w, cpu_dtype type, thread_team& team) {
  packed_layer out;
  auto pack_into = [&](packed_weights& where, std::initializer_list<tensor_view> parts) -> result<void> {
    auto packed = packed_weights::pack(std::span(parts.begin(), parts.size()), type, team);
    if (!packed) return std::move(packed).error();
    where = *std::move(packed);
    return {};
  };
  if (auto ok = pack_into(out.qkv, {w.q, w.k, w.v}); !ok) return ok.error();
  if (auto ok = pack_into(out.o, {w.o}); !ok) return ok.error();
  if (auto ok = pack_into(out.gate_up, {w.gate, w.up}); !ok) return ok.error();
  if (auto ok = pack_into(out.down, {w.down}); !ok) return ok.error();
  out.attn_norm = read_vector(w.attn_norm);
  out.ffn_norm = read_vector(w.ffn_norm);
  out.qkv_bias = join_biases({{&w.q_bias, w.q.rows}, {&w.k_bias, w.k.rows}, {&w.v_bias, w.v.rows}});
  out.o_bias = join_biases({{&w.o_bias, w.o.rows}});
  out.gate_up_bias = join_biases({{&w.gate_bias, w.gate.rows}, {&w.up_bias, w.up.rows}});
  out.down_bias = join_biases({{&w.down_bias, w.down.rows}});
  return out;
}

void make_rotary_tables(packed_model& m, std::uint32_t positions) {
  auto frequencies = rope_frequencies(m.config.rope, m.config.head_dim);
  m.cosines.reserve(std::size_t{positions} * frequencies.size());
  m.sines.reserve(m.cosines.capacity());
  for (std::uint32_t p = 0; p < positions; ++p)
    for (float f : frequencies) {
      float angle = static_cast<float>(p) * f;  // float32, as the reference computes it
      m.cosines.push_back(static_cast<float>(std::cos(static_cast<double>(angle))));
      m.sines.push_back(static_cast<float>(std::sin(static_cast<double>(angle))));
    }
}

}  // namespace

std::uint64_t packed_model::bytes() const noexcept {
  auto out = head.bytes() + embedding.bytes();
  for (auto& l : layers)
    out += l.qkv.bytes() + l.o.bytes() + l.gate_up.bytes() + l.down.bytes();
  return out;
}

void packed_model::embed(token_id token, std::span<float> out) const {
  auto& table = embedding.bytes() != 0 ? embedding : head;
  table.read_row(static_cast<std::uint32_t>(token), out);
}

result<packed_model> pack_model(const model_weights& weights, cpu_dtype type, std::uint32_t positions,
                                thread_team& team) {
  packed_model out;
  out.config = weights.config();
  for (auto& layer : weights.layers()) {
    auto packed = pack_layer(layer, type, team);
    if (!packed) return std::move(packed).error();
    out.layers.push_back(*std::move(packed));
  }
  auto head = packed_weights::pack(std::span(&weights.head(), 1), type, team);
  if (!head) return std::move(head).error();
  out.head = *std::move(head);
  if (!out.config.tied_head) {
    auto embedding = packed_weights::pack(std::span(&weights.embedding(), 1), type, team);
    if (!embedding) return std::move(embedding).error();
    out.embedding = *std::move(embedding);
  }
  out.final_norm = read_vector(weights.final_norm());
  make_rotary_tables(out, positions);
  return out;
}

}  // namespace lorica
