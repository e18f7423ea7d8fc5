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

template <class Work>
void forward::for_adapters(const step_plan& plan, share rows, const Work& work) const {
  for (auto& s : plan.step().segments) {
    if (s.first_row >= rows.last || s.first_row + s.rows <= rows.first) continue;
    for (std::uint32_t use = s.first_use; use < s.first_use + s.uses; ++use)
      work(plan.adapter(use));
  }
}

void forward::ask_for_b(const step_plan& plan, std::uint32_t layer, lora_group group,
                        const packed_matrix& matrix, part_of_product part, memory_ahead& out) const {
  for_adapters(plan, part.rows, [&](const cpu_packed_adapter& adapter) {
    auto& g = adapter.group(layer, group);
    for (std::uint32_t i = 0; i < g.sites; ++i) {
      const auto own = g.site[i].within(matrix, part.blocks);
      const auto block = bytes_of_b(g.site[i]);
      out.add(g.site[i].b + own.first * block, (own.last - own.first) * block);
    }
  });
}

void forward::ask_for_next_a(const step_plan& plan, std::uint32_t layer, lora_group group, share part,
                             std::uint32_t parts, unsigned member, memory_ahead& out) const {
  const auto next = behind(group, layer);
  if (next.layer >= weights_->layers().size()) return;
  for_adapters(plan, share_of(plan.rows(), member, team_.active()), [&](const cpu_packed_adapter& adapter) {
    auto& g = adapter.group(next.layer, next.group);
    const auto from = until(bytes_of_a(g), part.first, parts);
    out.add(g.a + from, until(bytes_of_a(g), part.last, parts) - from);
  });
}

void forward::ask_ahead(const step_plan& plan, std::uint32_t layer, lora_group group,
                        const packed_matrix& matrix, part_of_product part, unsigned member,
                        memory_ahead& out) const {
  ask_for_b(plan, layer, group, matrix, part, out);
  const auto mine =
      share_of(group == lora_group::gate_up ? matrix.first_block[1] : matrix.blocks, member, team_.active());
  const bool again = part.rows.first != 0 || part.blocks.last > mine.last;  // more rows, or up behind gate
  if (again) return;
  ask_for_next_a(plan, layer, group, {part.blocks.first - mine.first, part.blocks.last - mine.first},
                 mine.last - mine.first, member, out);
}

}  // namespace lorica
