// What of the adapters is asked for while the base's product runs.

#include <algorithm>

#include "cpu/forward.hpp"

namespace lorica {
namespace {

/// The linear maps whose low-rank inputs follow.
struct next_inputs {
  lora_group group;
  std::uint32_t layer;
};

next_inputs behind(lora_group group, std::uint32_t layer) noexcept {
  switch (group) {
    case lora_group::qkv: return {lora_group::o, layer};
    case lora_group::o: return {lora_group::gate_up, layer};
    case lora_group::gate_up: return {lora_group::down, layer};
    default: return {lora_group::qkv, layer + 1};
  }
}

/// A part of `bytes` from begin to end, in lines.
std::size_t until(std::size_t bytes, std::uint32_t done, std::uint32_t all) noexcept {
  constexpr std::size_t line = 64;
  return done == all ? bytes : bytes / line * done / all * line;
}

}  // namespace

std::size_t forward::bytes_of_b(const packed_site& site) const noexcept {
  if (mode_.int8_adapters) return coded_b_bytes(site.rank);
  return std::size_t{site.rank} * block_outputs * element_bytes(dtype_);
}

std::size_t forward::bytes_of_a(const packed_group& group) const noexcept {
  if (mode_.int8_adapters) return coded_a_bytes(group.ranks, group.depth);
  return std::size_t{group.ranks} * group.depth * element_bytes(dtype_);
}

/// B of the product's own rows and blocks, and of the A that is read next what falls to these blocks: a
/// member computes the low-rank inputs of its share of the rows.
void forward::ask_ahead(const step_plan& plan, std::uint32_t layer, lora_group group,
                        const packed_matrix& matrix, part_of_product part, unsigned member,
                        memory_ahead& out) const {
  for (auto& s : plan.step().segments) {
    if (s.first_row >= part.rows.last || s.first_row + s.rows <= part.rows.first) continue;
    for (std::uint32_t use = s.first_use; use < s.first_use + s.uses; ++use) {
      auto& g = plan.adapter(use).group(layer, group);
      for (std::uint32_t i = 0; i < g.sites; ++i) {
        const auto own = g.site[i].within(matrix, part.blocks);
        const auto block = bytes_of_b(g.site[i]);
        out.add(g.site[i].b + own.first * block, (own.last - own.first) * block);
      }
    }
  }
  const auto first_part = group == lora_group::gate_up ? matrix.first_block[1] : matrix.blocks;
  const auto mine = share_of(first_part, member, team_.active());
  const auto next = behind(group, layer);
  if (part.blocks.last > mine.last || next.layer >= weights_->layers().size()) return;
  const auto all = mine.last - mine.first;
  const auto rows = share_of(plan.rows(), member, team_.active());
  for (auto& s : plan.step().segments) {
    if (s.first_row >= rows.last || s.first_row + s.rows <= rows.first) continue;
    for (std::uint32_t use = s.first_use; use < s.first_use + s.uses; ++use) {
      auto& g = plan.adapter(use).group(next.layer, next.group);
      const auto from = until(bytes_of_a(g), part.blocks.first - mine.first, all);
      out.add(g.a + from, until(bytes_of_a(g), part.blocks.last - mine.first, all) - from);
    }
  }
}

}  // namespace lorica
