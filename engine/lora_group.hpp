#pragma once

#include <cstdint>

#include "engine/projection.hpp"

namespace lorica {

/// Projections that read the same input: they share one shrink and one product of the base. The head is in no
/// layer.
enum class lora_group : std::uint8_t { qkv, o, gate_up, down, head };
inline constexpr std::uint32_t lora_group_count = 4;  ///< of each layer

/// Where a projection sits in the products of an executor; a fused one takes all parts from `part` on.
struct group_place {
  lora_group group;
  std::uint32_t part;
};

/// Of a linear map.
constexpr group_place place_of(projection where) noexcept {
  switch (where) {
    case projection::q: return {lora_group::qkv, 0};
    case projection::k: return {lora_group::qkv, 1};
    case projection::v: return {lora_group::qkv, 2};
    case projection::o: return {lora_group::o, 0};
    case projection::gate: return {lora_group::gate_up, 0};
    case projection::up: return {lora_group::gate_up, 1};
    case projection::qkv: return {lora_group::qkv, 0};
    case projection::gate_up: return {lora_group::gate_up, 0};
    case projection::head: return {lora_group::head, 0};
    default: return {lora_group::down, 0};
  }
}

}  // namespace lorica
