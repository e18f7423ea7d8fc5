// What the adapters of a step add to its linear maps.

#include "cpu/forward.hpp"

#include <algorithm>
#include <array>
#include <span>
#include <tuple>

#include "cpu/linear_merge.hpp"

namespace lorica {
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

void forward::shrink(const step_plan& plan, std::uint32_t layer, lora_group group, const linear_input& x,
                     share rows) {
  for (auto& s : plan.step().segments)
    shrink_segment(plan, layer, group, s, x, rows);
}

/// Rows, not ranks, are shared out: what follows a row's product is up to whoever made it.
void forward::shrink_segment(const step_plan& plan, std::uint32_t layer, lora_group group, const segment& s,
                             const linear_input& x, share rows) {
  rows = {std::max(rows.first, s.first_row), std::min(rows.last, s.first_row + s.rows)};
  if (rows.first >= rows.last) return;
  std::uint32_t column = 0;
  for (std::uint32_t use = s.first_use; use < s.first_use + s.uses; ++use) {
    auto& g = plan.adapter(use).group(layer, group);
    if (g.ranks != 0) shrink_use(g, s, plan.step().uses[use].weight, column, x, rows);
    column += g.ranks;
  }
  if (s.combine != combination::sum) merge_rows(plan, layer, group, s, rows);
  if (mode_.int8_adapters) quantise_low_rank(plan, layer, group, s, rows);
}

void forward::shrink_use(const packed_group& g, const segment& s, float weight, std::uint32_t column,
                         const linear_input& x, share rows) {
  const auto* scaling = s.combine == combination::sum ? g.scaling : nullptr;
  const auto count = rows.last - rows.first;
  if (mode_.int8_adapters)
    return kernels_.shrink_codes({x.groups_of(rows.first), x.groups.stride, count, g.a, g.depth, g.ranks,
                                  g.scales, scaling, weight,
                                  memory_.low_rank_sums.floats(rows.first) + column,
                                  memory_.low_rank_sums.stride, x.high_from(rows.first)});
  kernels_.shrink({x.values.row(rows.first), x.values.stride, count, g.a, g.depth, g.ranks, scaling, weight,
                   memory_.low_rank.row(rows.first) + std::size_t{column} * element_bytes(dtype_),
                   memory_.low_rank.stride});
}

void forward::merge_rows(const step_plan& plan, std::uint32_t layer, lora_group group, const segment& s,
                         share rows) {
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
    merge_inputs(std::span(inputs).first(count), rank, plan.merge_scaling(s),
                 mode_.int8_adapters ? memory_.low_rank_sums : memory_.low_rank, rows);
  }
}

void forward::quantise_low_rank(const step_plan& plan, std::uint32_t layer, lora_group group,
                                const segment& s, share rows) {
  std::uint32_t column = 0, codes = 0;
  for (std::uint32_t use = s.first_use; use < s.first_use + s.uses; ++use) {
    auto& g = plan.adapter(use).group(layer, group);
    for (std::uint32_t i = 0; i < g.sites; ++i) {
      auto& site = g.site[i];
      if (i != 0 && g.site[i - 1].column == site.column) continue;  // parts of one module
      for (auto row = rows.first; row < rows.last; ++row)
        kernels_.quantise_low_rank({memory_.low_rank_sums.floats(row) + column + site.column, site.rank,
                                    low_rank_codes(row) + codes + site.codes});
    }
    column += g.ranks;
    codes += g.codes;
  }
}

input_group* forward::low_rank_codes(std::uint32_t row) const noexcept {
  return reinterpret_cast<input_group*>(memory_.low_rank_codes.row(row));
}

void forward::expand(const step_plan& plan, std::uint32_t layer, lora_group group, const segment& s,
                     const packed_matrix& matrix, share blocks, float* y, std::size_t y_stride) {
  std::uint32_t column = 0, codes = 0;
  for (std::uint32_t use = s.first_use; use < s.first_use + s.uses; ++use) {
    auto& g = plan.adapter(use).group(layer, group);
    for (std::uint32_t i = 0; i < g.sites; ++i) {
      auto& site = g.site[i];
      const auto part = site.within(matrix, blocks);
      if (part.first == part.last) continue;
      auto* to = y + std::size_t{matrix.first_block[site.part] + part.first - blocks.first} * block_outputs;
      if (site.offset || site.gain)
        change_outputs(s, site, part, plan.step().uses[use].weight, matrix, to, y_stride);
      expand_site(s, site, part, column + site.column, codes + site.codes, to, y_stride);
    }
    column += g.ranks;
    codes += g.codes;
  }
}

forward::taken_terms forward::terms_of(const step_plan& plan, std::uint32_t layer, lora_group group,
                                       const packed_matrix& matrix, part_of_product part) const {
  if (!mode_.int8_adapters || !is_quantised(matrix.format)) return {};
  for (auto& s : plan.step().segments) {
    if (s.first_row > part.rows.first || s.first_row + s.rows < part.rows.last) continue;
    taken_terms out;
    std::uint32_t codes = 0;
    for (std::uint32_t use = s.first_use; use < s.first_use + s.uses; ++use) {
      auto& g = plan.adapter(use).group(layer, group);
      for (std::uint32_t i = 0; i < g.sites; ++i) {
        auto& site = g.site[i];
        if (site.offset || site.gain || out.count == out.of.size()) return {};
        const auto own = site.within(matrix, part.blocks);
        if (own.first == own.last) continue;
        out.of[out.count++] = {low_rank_codes(part.rows.first) + codes + site.codes,
                               memory_.low_rank_codes.stride,
                               site.b + own.first * bytes_of_b(site),
                               site.rank,
                               matrix.first_block[site.part] + own.first - part.blocks.first,
                               own.last - own.first};
      }
      codes += g.codes;
    }
    out.all = true;
    return out;
  }
  return {};
}

void forward::expand_rows(const step_plan& plan, std::uint32_t layer, lora_group group,
                          const packed_matrix& matrix, share rows, const row_buffer& y) {
  for (auto& whole : plan.step().segments) {
    const auto s = within(whole, rows);
    if (s.rows != 0)
      expand(plan, layer, group, s, matrix, {0, matrix.blocks}, y.floats(s.first_row), y.stride);
  }
}

void forward::expand_site(const segment& s, const packed_site& site, share part, std::uint32_t column,
                          std::uint32_t codes, float* y, std::size_t y_stride) {
  const auto blocks = part.last - part.first;
  if (mode_.int8_adapters)
    return kernels_.expand_codes({low_rank_codes(s.first_row) + codes, memory_.low_rank_codes.stride, s.rows,
                                  site.b + part.first * coded_b_bytes(site.rank), site.rank, blocks, y,
                                  y_stride});
  gemm_args a;
  a.x = memory_.low_rank.row(s.first_row) + std::size_t{column} * element_bytes(dtype_);
  a.x_stride = memory_.low_rank.stride;
  a.rows = s.rows;
  a.weights = site.b + std::size_t{part.first} * site.rank * block_outputs * element_bytes(dtype_);
  a.depth = site.rank;
  a.blocks = blocks;
  a.y = y;
  a.y_stride = y_stride;
  a.into = gemm_into::add;
  kernels_.gemm(a);
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
