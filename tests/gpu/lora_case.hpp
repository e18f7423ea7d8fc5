#pragma once

// A step of adapters at one group of a layer: as plain numbers, on the device, and what comes out in double.

#include <algorithm>
#include <cmath>

#include "gpu/lora_tiling.hpp"
#include "tests/gpu/test_device.hpp"

namespace lorica::testing {

/// An adapted module that covers parts [first_part, first_part + parts) of a group.
struct test_module {
  std::uint32_t first_part = 0;
  std::uint32_t parts = 1;
  std::uint32_t rank = 0;
  float scaling = 0.5f;
  bool gain = false;
  bool offset = false;
  std::vector<float> a = {}, b = {};  // [rank][depth], [outputs of its parts][rank]
  std::vector<float> gains = {}, offsets = {};
};
using test_adapter = std::vector<test_module>;

struct lora_case {
  std::uint32_t depth = 40;
  std::vector<std::uint32_t> outputs = {24};
  std::uint32_t rows = 1;
  std::vector<test_adapter> adapters = {};
  std::vector<gpu::lora_segment> segments = {};
  std::vector<gpu::lora_use> uses = {};  // slots are places in `adapters`
  gpu::number_format format = gpu::number_format::float32;
  std::uint32_t few_rows = 32;
  double spare = 1;  // of the room that planes want
  std::size_t gap = 8;
  bool bias = false;

  std::vector<float> x = {}, y = {}, base_bias = {};

  std::uint32_t width() const {
    std::uint32_t out = 0;
    for (auto n : outputs)
      out += n;
    return out;
  }
  std::size_t x_stride() const { return (depth + 7) / 8 * 8 + gap; }
  std::size_t y_stride() const { return width() + gap; }
  std::uint32_t first_output(std::uint32_t part) const {
    std::uint32_t out = 0;
    for (std::uint32_t i = 0; i < part; ++i)
      out += outputs[i];
    return out;
  }
  static std::uint32_t ranks(const test_adapter& a) {
    std::uint32_t out = 0;
    for (auto& m : a)
      out += m.rank;
    return out;
  }

  /// One more segment behind the last one, after `hole` base rows.
  void add_segment(std::uint32_t hole, std::uint32_t count, std::vector<gpu::lora_use> of,
                   bool merged = false, float merge_scaling = 0) {
    const auto first = segments.empty() ? 0 : segments.back().first_row + segments.back().rows;
    segments.push_back({first + hole, count, static_cast<std::uint32_t>(uses.size()),
                        static_cast<std::uint32_t>(of.size()), merged ? 1u : 0u, merge_scaling});
    uses.insert(uses.end(), of.begin(), of.end());
    rows = std::max(rows, first + hole + count);
  }

  /// Makes up all numbers.
  void fill(std::uint32_t seed) {
    x = exact_numbers(rows * x_stride(), seed);
    y = exact_numbers(rows * y_stride(), seed + 1);
    if (bias) base_bias = exact_numbers(width(), seed + 2);
    for (auto& adapter : adapters)
      for (auto& m : adapter) {
        std::uint32_t out = 0;
        for (std::uint32_t p = 0; p < m.parts; ++p)
          out += outputs[m.first_part + p];
        m.a = exact_numbers(std::size_t{m.rank} * depth, ++seed * 7);
        m.b = exact_numbers(std::size_t{m.rank} * out, seed * 7 + 1);
        if (m.gain) m.gains = exact_numbers(out, seed * 7 + 2);
        if (m.offset) m.offsets = exact_numbers(out, seed * 7 + 3);
      }
  }

  const test_module* module_at(std::uint32_t slot, std::uint32_t part) const {
    for (auto& m : adapters[slot])
      if (part >= m.first_part && part < m.first_part + m.parts) return &m;
    return nullptr;
  }
};

/// The last rows of a matrix [rows][cols] on the device, rows `stride` apart, zeros between.
inline const gpu::bfloat* put_matrix(test_device& d, const std::vector<float>& of, std::size_t rows,
                                     std::size_t cols, std::size_t stride) {
  std::vector<float> wide(rows * stride);
  for (std::size_t r = 0; r < rows; ++r)
    std::copy_n(of.begin() + static_cast<std::ptrdiff_t>(r * cols), cols,
                wide.begin() + static_cast<std::ptrdiff_t>(r * stride));
  return d.put(as_bfloat(wide));
}

inline void put_part(test_device& d, const lora_case& c, const test_module& m, std::uint32_t part,
                     std::uint32_t column, gpu::adapter_part& to) {
  const std::size_t outputs = c.outputs[part], first = c.first_output(part) - c.first_output(m.first_part);
  std::vector<float> turned(m.rank * outputs);
  for (std::size_t r = 0; r < m.rank; ++r)
    for (std::size_t n = 0; n < outputs; ++n)
      turned[r * outputs + n] = m.b[(first + n) * m.rank + r];
  to.b_stride = static_cast<std::uint32_t>((outputs + 7) / 8 * 8);
  to.b = put_matrix(d, turned, m.rank, outputs, to.b_stride);
  to.column = column;
  to.rank = m.rank;
  to.scaling = m.scaling;
  auto vector = [&](const std::vector<float>& all) {
    const auto* at = all.data() + first;
    return d.put(std::vector<float>(at, at + outputs));
  };
  if (m.gain) to.gain = vector(m.gains);
  if (m.offset) to.offset = vector(m.offsets);
}

inline gpu::adapter_group put_adapter(test_device& d, const lora_case& c, const test_adapter& adapter) {
  gpu::adapter_group out;
  std::vector<float> stacked;
  for (auto& m : adapter) {
    stacked.insert(stacked.end(), m.a.begin(), m.a.end());
    for (std::uint32_t p = m.first_part; p < m.first_part + m.parts; ++p)
      put_part(d, c, m, p, out.ranks, out.part[p]);
    out.ranks += m.rank;
  }
  out.a_stride = (c.depth + 7) / 8 * 8;
  out.a = put_matrix(d, stacked, out.ranks, c.depth, out.a_stride);
  return out;
}

/// The tiles of the case, on the device.
inline void put_tiles(test_device& d, const lora_case& c, gpu::lora_args& a) {
  std::vector<std::uint32_t> widths;
  std::uint32_t widest = 0;
  for (auto& s : c.segments) {
    std::uint32_t width = 0;
    for (auto u = s.first_use; u < s.first_use + s.uses; ++u)
      width += c.ranks(c.adapters[c.uses[u].slot]);
    widths.push_back(width);
    widest = std::max(widest, width);
  }
  const auto least = gpu::lora_input_floats(c.rows, 0, widest, c.depth);
  const auto most = gpu::lora_input_floats(c.rows, c.rows, widest, c.depth);
  const auto room = least + static_cast<std::uint64_t>(c.spare * static_cast<double>(most - least));
  std::vector<gpu::lora_tile> few(gpu::most_lora_tiles(c.rows)), many(few.size());
  std::vector<std::uint32_t> counts(2);
  gpu::lora_tiling_args tiling{c.segments, widths, c.depth, room, {c.few_rows, c.few_rows}};
  a.grid = must(gpu::cut_lora_tiles(tiling, few, many, counts));
  a.tiles = {d.put(few), d.put(many), d.put(counts)};
  a.inputs = d.room<float>(room);
}

inline gpu::lora_args put_case(test_device& d, const lora_case& c) {
  gpu::lora_args a;
  std::vector<gpu::adapter_group> groups;
  for (auto& adapter : c.adapters) {
    groups.emplace_back();  // another group in front of it
    groups.push_back(put_adapter(d, c, adapter));
  }
  a.table.groups = d.put(groups);
  a.table.groups_per_slot = 2;
  a.group = 1;
  a.segments = d.put(c.segments);
  a.uses = d.put(c.uses);
  put_tiles(d, c, a);
  a.x = d.put(as_bfloat(c.x));
  a.x_stride = c.x_stride();
  a.depth = c.depth;
  a.format = c.format;
  const bool wide = c.format == gpu::number_format::float32;
  if (c.bias) a.base_bias = wide ? static_cast<void*>(d.put(c.base_bias)) : d.put(as_bfloat(c.base_bias));
  a.y = wide ? static_cast<void*>(d.put(c.y)) : d.put(as_bfloat(c.y));
  a.y_stride = c.y_stride();
  a.parts = static_cast<std::uint32_t>(c.outputs.size());
  for (std::uint32_t p = 0; p <= a.parts; ++p)
    a.first_output[p] = c.first_output(p);
  return a;
}

/// Y once everything is done.
inline std::vector<float> get_outputs(test_device& d, const lora_case& c, const gpu::lora_args& a) {
  const auto count = c.rows * c.y_stride();
  if (c.format == gpu::number_format::float32) return d.get(static_cast<const float*>(a.y), count);
  return as_float(d.get(static_cast<const gpu::bfloat*>(a.y), count));
}

inline std::vector<float> run_case(test_device& d, const lora_case& c) {
  const auto a = put_case(d, c);
  must(gpu::lora_shrink(a, d.stream));
  must(gpu::lora_expand(a, d.stream));
  return get_outputs(d, c, a);
}

/// A number and by how much it may be missed.
struct expected_output {
  double value = 0;
  double tolerance = 0;
};

inline double rounded(double x) {
  return static_cast<double>(gpu::to_float(gpu::to_bfloat(static_cast<float>(x))));
}

/// Low-rank input r of a module.
inline double input_of(const lora_case& c, const test_module& m, std::uint32_t row, std::size_t r) {
  double out = 0;
  for (std::size_t k = 0; k < c.depth; ++k)
    out += static_cast<double>(c.x[row * c.x_stride() + k]) * static_cast<double>(m.a[r * c.depth + k]);
  return out;
}

/// u of a use, see lora.hpp.
inline double weighted_input(const lora_case& c, const gpu::lora_segment& s, std::uint32_t use,
                             std::uint32_t part, std::uint32_t row, std::size_t r) {
  const auto weight = static_cast<double>(c.uses[use].weight);
  const auto& m = *c.module_at(c.uses[use].slot, part);
  if (!s.merged) return rounded(input_of(c, m, row, r) * static_cast<double>(m.scaling) * weight);
  double sum = 0;
  for (auto other = s.first_use; other < s.first_use + s.uses; ++other)
    if (auto* of = c.module_at(c.uses[other].slot, part))
      sum += rounded(input_of(c, *of, row, r) * static_cast<double>(c.uses[other].weight));
  return rounded(sum * static_cast<double>(s.merge_scaling) * weight);
}

/// All outputs of one row and part. An input at the border of two bfloat16 may be either of them.
inline std::vector<expected_output> expected_row(const lora_case& c, std::uint32_t row, std::uint32_t part) {
  const std::size_t outputs = c.outputs[part], begin = c.first_output(part);
  std::vector<expected_output> out(outputs);
  for (std::size_t n = 0; n < outputs; ++n)
    out[n].value = static_cast<double>(c.y[row * c.y_stride() + begin + n]);
  for (auto& s : c.segments) {
    if (row < s.first_row || row >= s.first_row + s.rows) continue;
    for (auto use = s.first_use; use < s.first_use + s.uses; ++use) {
      auto* m = c.module_at(c.uses[use].slot, part);
      if (!m) continue;
      const std::size_t first = begin - c.first_output(m->first_part);
      const auto weight = static_cast<double>(c.uses[use].weight);
      std::vector<double> u;
      for (std::size_t r = 0; r < m->rank; ++r)
        u.push_back(weighted_input(c, s, use, part, row, r));
      for (std::size_t n = 0; n < outputs; ++n) {
        auto& to = out[n];
        const double bias = c.bias ? static_cast<double>(c.base_bias[begin + n]) : 0;
        const double before = static_cast<double>(c.y[row * c.y_stride() + begin + n]) - bias;
        if (m->gain) to.value += weight * static_cast<double>(m->gains[first + n]) * before;
        if (m->offset) to.value += weight * static_cast<double>(m->offsets[first + n]);
        double largest = 0, size = 0;
        for (std::size_t r = 0; r < m->rank; ++r) {
          const double term = u[r] * static_cast<double>(m->b[(first + n) * m->rank + r]);
          to.value += term;
          largest = std::max(largest, std::abs(term));
          size += std::abs(term);
        }
        to.tolerance += 8e-3 * largest + 4e-6 * size;
      }
    }
  }
  for (auto& to : out)
    to.tolerance += c.format == gpu::number_format::float32 ? 4e-6 * (1 + std::abs(to.value))
                                                            : 8e-3 * std::abs(to.value) + 2e-5;
  return out;
}

/// Everything in `y` is as it should be: rows without adapters and gaps have kept their bits.
inline void check_outputs(const lora_case& c, const std::vector<float>& y) {
  for (std::uint32_t row = 0; row < c.rows; ++row) {
    for (std::uint32_t part = 0; part < c.outputs.size(); ++part) {
      const auto expected = expected_row(c, row, part);
      for (std::size_t n = 0; n < expected.size(); ++n) {
        const double is = static_cast<double>(y[row * c.y_stride() + c.first_output(part) + n]);
        INFO("row " << row << ", part " << part << ", output " << n << ": " << is << " for "
                    << expected[n].value << " ± " << expected[n].tolerance);
        REQUIRE(std::abs(is - expected[n].value) <= expected[n].tolerance);
      }
    }
    const bool adapted = std::ranges::any_of(
        c.segments, [&](auto& s) { return row >= s.first_row && row < s.first_row + s.rows; });
    for (std::size_t k = adapted ? c.width() : 0; k < c.y_stride(); ++k)
      REQUIRE(y[row * c.y_stride() + k] == c.y[row * c.y_stride() + k]);
  }
}

}  // namespace lorica::testing
