#pragma once

#include <cstdint>

#include "engine/lora_group.hpp"
#include "gpu/bfloat.hpp"

namespace lorica::gpu {

inline constexpr std::uint32_t most_parts = 3;  ///< of a group: q, k and v

/// The place of a group among those of an adapter: layers one after the other, then the head.
constexpr std::uint32_t group_index(std::uint32_t layer, lora_group which, std::uint32_t layers) noexcept {
  return which == lora_group::head ? layers * lora_group_count
                                   : layer * lora_group_count + static_cast<std::uint32_t>(which);
}

/// How many there are.
constexpr std::uint32_t groups_of(std::uint32_t layers) noexcept {
  return layers * lora_group_count + 1;
}

/// What an adapter adds to one part of a group's outputs. The parts of a fused module share their columns.
/// With DoRA the columns of B are multiplied by m / n.
struct adapter_part {
  const bfloat* b = nullptr;      ///< [rank][b_stride]: Bᵀ, on 16 bytes
  const float* gain = nullptr;    ///< [outputs] m / n - 1 of DoRA; null: none
  const float* offset = nullptr;  ///< [outputs] scaling * `lora_B.bias`; null: none
  std::uint32_t column = 0;       ///< of the group's low-rank inputs
  std::uint32_t rank = 0;         ///< 0: the adapter does nothing here
  std::uint32_t b_stride = 0;     ///< elements, a multiple of 8
  float scaling = 0;
};

/// What an adapter does to one group of one layer. `ranks` is zero where it does nothing.
struct adapter_group {
  const bfloat* a = nullptr;   ///< [ranks][a_stride], on 16 bytes; zeros from the depth on
  std::uint32_t ranks = 0;     ///< of all parts, at their true ranks
  std::uint32_t a_stride = 0;  ///< elements, a multiple of 8
  adapter_part part[most_parts];
};

/// What an adapter does to embeddings: x = (E_token + scaling * B A_token) * the model's scale.
struct adapter_embedding {
  const bfloat* a = nullptr;      ///< [vocab][rank]
  const bfloat* b = nullptr;      ///< [rank][b_stride]: Bᵀ
  const bfloat* table = nullptr;  ///< [vocab][hidden] in place of the base's E; null: that
  std::uint32_t rank = 0;         ///< 0: no B and A
  std::uint32_t b_stride = 0;     ///< elements, a multiple of 8
  float scaling = 0;
};

/// What kernels know of adapters: a row per slot, in device memory at an address that never changes.
struct adapter_table {
  const adapter_group* groups = nullptr;          ///< [slots][groups_per_slot]
  const adapter_embedding* embeddings = nullptr;  ///< [slots]
  std::uint32_t groups_per_slot = 0;
};

}  // namespace lorica::gpu
