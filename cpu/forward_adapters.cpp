// What the adapters of a step add to its linear maps.

#include "cpu/forward.hpp"

#include <algorithm>
#include <array>
#include <span>

#include "cpu/linear_merge.hpp"

namespace lorica {
namespace {

/// The rows of a group's A that a member multiplies by, in whole tiles.
share ranks_of(const packed_group& g, unsigned member, unsigned members) noexcept {
  auto mine = share_of((g.ranks + rank_tile - 1) / rank_tile, member, members);
  return {std::min(mine.first * rank_tile, g.ranks), std::min(mine.last * rank_tile, g.ranks)};
}

}  // namespace

/// Base and adapter of a segment into the member's strip, from where each row is added to `y`, the segment's
/// first row.
void forward::rescaled(const step_plan& plan, std::uint32_t layer, lora_group group, const segment& s,
                       const packed_matrix& matrix, const linear_input& x, share blocks, float* y,
                       std::size_t y_stride, unsigned member) {
  auto* strip = memory_.strip.floats(member);
  const auto width = std::max<std::uint32_t>(
      1, static_cast<std::uint32_t>(memory_.strip.stride / (std::size_t{s.rows} * block_outputs)));
  for (auto first = blocks.first; first < blocks.last; first += width) {
    const share part{first, std::min(first + width, blocks.last)};
    const auto columns = (part.last - part.first) * block_outputs;
    product(matrix, x, {s.first_row, s.first_row + s.rows}, part, gemm_into::store, strip, columns);
    expand(plan, layer, group, s, matrix, part, strip, columns);
    for (std::uint32_t row = 0; row < s.rows; ++row) {
      outputs_args add;
      add.y = y + row * y_stride + std::size_t{part.first - blocks.first} * block_outputs;
      add.rows = 1;
      add.width = columns;
      add.offset = strip + std::size_t{row} * columns;
      kernels_.outputs(add);
    }
  }
}

void forward::shrink(const step_plan& plan, std::uint32_t layer, lora_group group, const row_buffer& x,
                     unsigned member) {
  if (plan.step().segments.empty()) return;
  for (auto& s : plan.step().segments)
    shrink_segment(plan, layer, group, s, x, member);
  pass(step_phase::shrink, member);
  if (!plan.merges()) return;
  for (auto& s : plan.step().segments)
    merge_segment(plan, layer, group, s, member);
  pass(step_phase::shrink, member);
}

void forward::shrink_segment(const step_plan& plan, std::uint32_t layer, lora_group group, const segment& s,
                             const row_buffer& x, unsigned member) {
  const auto element = element_bytes(dtype_);
  std::uint32_t column = 0;
  for (std::uint32_t use = s.first_use; use < s.first_use + s.uses; ++use) {
    auto& g = plan.adapter(use).group(layer, group);
    auto mine = ranks_of(g, member, team_.active());
    if (mine.first < mine.last)
      kernels_.shrink({x.row(s.first_row), x.stride, s.rows,
                       g.a + std::size_t{mine.first} * g.depth * element, g.depth, mine.last - mine.first,
                       s.combine == combination::sum ? g.scaling + mine.first : nullptr,
                       plan.step().uses[use].weight,
                       memory_.low_rank.row(s.first_row) + std::size_t{column + mine.first} * element,
                       memory_.low_rank.stride});
    column += g.ranks;
  }
}

void forward::merge_segment(const step_plan& plan, std::uint32_t layer, lora_group group, const segment& s,
                            unsigned member) {
  if (s.combine == combination::sum) return;
  const auto mine = share_of(s.rows, member, team_.active());
  for (std::uint32_t part = 0; part < std::tuple_size_v<decltype(packed_group::site)>; ++part) {
    std::array<merged_input, most_adapters> inputs;
    std::size_t count = 0;
    std::uint32_t rank = 0, column = 0;
    for (std::uint32_t use = s.first_use; use < s.first_use + s.uses; ++use) {
      auto& g = plan.adapter(use).group(layer, group);
      if (auto* site = g.module_at(part)) {
        inputs[count++] = {column + site->column, plan.step().uses[use].weight};
        rank = site->rank;
      }
      column += g.ranks;
    }
    merge_inputs(std::span(inputs).first(count), rank, plan.merge_scaling(s), memory_.low_rank,
                 {s.first_row + mine.first, s.first_row + mine.last});
  }
}

void forward::expand(const step_plan& plan, std::uint32_t layer, lora_group group, const segment& s,
                     const packed_matrix& matrix, share blocks, float* y, std::size_t y_stride) {
  std::uint32_t column = 0;
  for (std::uint32_t use = s.first_use; use < s.first_use + s.uses; ++use) {
    auto& g = plan.adapter(use).group(layer, group);
    expand_use(s, g, plan.step().uses[use].weight, column, matrix, blocks, y, y_stride);
    column += g.ranks;
  }
}

void forward::expand_use(const segment& s, const packed_group& g, float weight, std::uint32_t column,
                         const packed_matrix& matrix, share blocks, float* y, std::size_t y_stride) {
  for (std::uint32_t i = 0; i < g.sites; ++i) {
    auto& site = g.site[i];
    auto part = site.within(matrix, blocks);
    if (part.first == part.last) continue;
    gemm_args a;
    a.x = memory_.low_rank.row(s.first_row) + std::size_t{column + site.column} * element_bytes(dtype_);
    a.x_stride = memory_.low_rank.stride;
    a.rows = s.rows;
    a.weights = site.b + std::size_t{part.first} * site.rank * block_outputs * element_bytes(dtype_);
    a.depth = site.rank;
    a.blocks = part.last - part.first;
    a.y = y + std::size_t{matrix.first_block[site.part] + part.first - blocks.first} * block_outputs;
    a.y_stride = y_stride;
    a.into = gemm_into::add;
    if (site.offset || site.gain) change_outputs(s, site, part, weight, matrix, a.y, y_stride);
    kernels_.gemm(a);
  }
}

void forward::change_outputs(const segment& s, const packed_site& site, share part, float weight,
                             const packed_matrix& matrix, float* y, std::size_t y_stride) {
  auto from = [&](const float* vector, std::uint32_t block) {
    return vector ? vector + std::size_t{block} * block_outputs : nullptr;
  };
  outputs_args a;
  a.y = y;
  a.y_stride = y_stride;
  a.rows = s.rows;
  a.width = (part.last - part.first) * block_outputs;
  a.base_bias = from(matrix.bias, matrix.first_block[site.part] + part.first);
  a.gain = from(site.gain, part.first);
  a.offset = from(site.offset, part.first);
  a.weight = weight;
  kernels_.outputs(a);
}

}  // namespace lorica
