#include "engine/projection.hpp"

#include <array>

namespace lorica {

std::string_view block_of(projection p) noexcept {
  switch (p) {
    case projection::gate:
    case projection::up:
    case projection::down:
    case projection::gate_up: return "mlp";
    default: return "self_attn";
  }
}

std::span<const projection> projections_of(const model_config& base) noexcept {
  using enum projection;
  static constexpr std::array apart = {q, k, v, o, gate, up, down};
  static constexpr std::array fused = {o, down, qkv, gate_up};
  if (base.fused) return fused;
  return apart;
}

projection_shape shape_of(const model_config& base, projection where) noexcept {
  const auto attention = std::uint64_t{base.heads} * base.head_dim;
  const auto shared = std::uint64_t{base.kv_heads} * base.head_dim;
  const auto ffn = std::uint64_t{base.ffn};
  switch (where) {
    case projection::q: return {base.hidden, attention};
    case projection::k:
    case projection::v: return {base.hidden, shared};
    case projection::qkv: return {base.hidden, attention + 2 * shared};
    case projection::o: return {attention, base.hidden};
    case projection::down: return {ffn, base.hidden};
    case projection::gate_up: return {base.hidden, 2 * ffn};
    case projection::embed: return {base.vocab, base.hidden};
    case projection::head: return {base.hidden, base.vocab};
    default: return {base.hidden, ffn};
  }
}

}  // namespace lorica
