#include "bench/gpu/kernel_bench.hpp"

#include <algorithm>
#include <cmath>

#include "bench/gpu/failure.hpp"
#include "gpu/lora_tiling.hpp"

namespace lorica::bench {

namespace {

constexpr std::uint64_t numbers_per_graph = std::uint64_t{128} << 20;
constexpr std::uint64_t least_launches = 4, most_launches = 64;
constexpr std::uint64_t product_bytes = std::uint64_t{32} << 20;
constexpr std::uint32_t few_rows = 64;  // whose sums are kept in planes, as the executor has room for

constexpr std::size_t aligned(std::size_t count) noexcept {
  return (count + 7) / 8 * 8;
}

/// Numbers that one launch reads and that nobody else does.
std::uint64_t input_numbers(const kernel_point& p) noexcept {
  std::uint64_t b = 0;
  for (auto outputs : p.site.outputs)
    b += std::uint64_t{p.rank} * aligned(outputs);
  const auto a = std::uint64_t{p.ranks()} * aligned(p.site.depth);
  return p.rows * aligned(p.site.depth) + p.adapters * (a + b);
}

std::uint64_t output_numbers(const kernel_point& p) noexcept {
  return p.rows * aligned(p.site.width());
}

std::uint64_t launches_of(const kernel_point& p) noexcept {
  const auto each = input_numbers(p) + output_numbers(p);
  return std::clamp(numbers_per_graph / each, least_launches, most_launches);
}

std::uint64_t floats_of(const kernel_point& p) noexcept {
  return gpu::lora_input_floats(p.rows, std::min(p.rows, few_rows), p.ranks(), p.site.depth);
}

/// What adapters add to a row, worked out here from a launch's numbers as they lie: X, then A and the parts
/// of B of each adapter.
std::vector<double> added_to(const kernel_point& p, const std::vector<gpu::bfloat>& numbers,
                             std::uint32_t row) {
  const auto depth = aligned(p.site.depth);
  const auto each = (input_numbers(p) - p.rows * depth) / p.adapters;
  // The last adapter whose rows begin at this one or before.
  auto adapter = p.adapters - 1;
  while (std::uint64_t{p.rows} * adapter / p.adapters > row)
    --adapter;
  const auto* x = numbers.data() + row * depth;
  const auto* a = numbers.data() + p.rows * depth + adapter * each;
  const auto* b = a + p.ranks() * depth;
  std::vector<double> out;
  for (auto outputs : p.site.outputs) {
    std::vector<double> sums(outputs);
    for (std::uint32_t r = 0; r < p.rank; ++r, a += depth, b += aligned(outputs)) {
      double input = 0;
      for (std::uint32_t k = 0; k < p.site.depth; ++k)
        input += double{to_float(x[k])} * double{to_float(a[k])};
      const double u = to_float(gpu::to_bfloat(static_cast<float>(input)));
      for (std::uint32_t n = 0; n < outputs; ++n)
        sums[n] += u * double{to_float(b[n])};
    }
    out.insert(out.end(), sums.begin(), sums.end());
  }
  return out;
}

/// Memory for the largest of the points, in each of its kinds.
struct kernel_memory {
  std::uint64_t numbers = 0, outputs = 0, inputs = 0, tables = 0;

  explicit kernel_memory(const std::vector<kernel_point>& points) {
    for (auto& p : points) {
      const auto launches = launches_of(p);
      numbers = std::max(numbers, launches * input_numbers(p));
      outputs = std::max(outputs, launches * output_numbers(p));
      // As much again for the products' inputs, whose rows begin on 16 bytes.
      inputs = std::max(inputs, floats_of(p) + p.rows * aligned(p.ranks()));
      const auto slots = launches * p.adapters * (sizeof(gpu::adapter_group) + sizeof(gpu::lora_use));
      const auto of_rows = (p.rows + 1) * 2 * sizeof(gpu::lora_tile) + p.adapters * sizeof(gpu::lora_segment);
      tables = std::max(tables, slots + of_rows + 8 * gpu::arena::alignment);
    }
  }

  std::uint64_t bytes() const noexcept {
    return 2 * (numbers + outputs) + 4 * inputs + tables + product_bytes + 16 * gpu::arena::alignment;
  }
};

}  // namespace

std::uint32_t kernel_site::width() const noexcept {
  std::uint32_t out = 0;
  for (auto o : outputs)
    out += o;
  return out;
}

std::vector<kernel_site> kernel_sites(const model_config& m) {
  const auto q = m.heads * m.head_dim, kv = m.kv_heads * m.head_dim;
  return {{"qkv", m.hidden, {q, kv, kv}},
          {"o", q, {m.hidden}},
          {"gate_up", m.hidden, {m.ffn, m.ffn}},
          {"down", m.ffn, {m.hidden}}};
}

double kernel_point::shrink_bytes() const noexcept {
  return 2.0 * rows * site.depth + 2.0 * adapters * ranks() * site.depth + 4.0 * rows * ranks();
}

double kernel_point::expand_bytes() const noexcept {
  return 4.0 * rows * ranks() + 2.0 * adapters * rank * site.width() + 4.0 * rows * site.width();
}

/// What a graph is made of.
struct kernel_bench::launches {
  std::vector<gpu::lora_args> kernels;
  std::vector<gpu::lora_segment> segments;  ///< of all launches alike
  std::vector<gpu::adapter_group> groups;   ///< [launches][adapters]
  std::vector<gpu::gemm_args> products;     ///< of all launches, in order
};

kernel_bench::kernel_bench(int device, const std::vector<kernel_point>& points, const random_numbers& numbers)
    : room_(device, kernel_memory(points).bytes()),
      products_(need(gpu::gemm::create(room_.memory(), {.workspace_bytes = product_bytes}))) {
  const kernel_memory memory(points);
  numbers_count_ = memory.numbers;
  numbers_ = room_.numbers("X, A and B", memory.numbers, numbers);
  outputs_ = room_.numbers("Y", memory.outputs, numbers);
  inputs_ = room_.take<float>("low-rank inputs", memory.inputs);
  tables_ = room_.take<std::byte>("tables", memory.tables);
}

/// Everything that stays equal over the launches, then what does not.
kernel_bench::launches kernel_bench::lay_out(const kernel_point& p) {
  launches out;
  out.kernels.resize(launches_of(p));
  const std::uint64_t strides[] = {aligned(p.site.depth), aligned(p.site.width())};
  for (std::size_t i = 0; i < out.kernels.size(); ++i) {
    auto& a = out.kernels[i];
    a.x = numbers_ + i * input_numbers(p);
    a.x_stride = strides[0];
    a.depth = p.site.depth;
    a.inputs = inputs_;
    a.y = outputs_ + i * output_numbers(p);
    a.y_stride = strides[1];
    a.parts = static_cast<std::uint32_t>(p.site.outputs.size());
    for (std::uint32_t part = 0; part < a.parts; ++part)
      a.first_output[part + 1] = a.first_output[part] + p.site.outputs[part];
  }
  put_tables(p, out);
  put_products(p, out);
  return out;
}

/// Rows of the table of adapters, a slot for each adapter of each launch, and one cut of the rows for all.
void kernel_bench::put_tables(const kernel_point& p, launches& to) {
  std::vector<gpu::adapter_group> groups;
  std::vector<gpu::lora_use> uses;
  for (auto& a : to.kernels) {
    auto* at = a.x + p.rows * a.x_stride;
    for (std::uint32_t i = 0; i < p.adapters; ++i) {
      uses.push_back({static_cast<std::uint32_t>(groups.size()), 1.0f});
      auto& g = groups.emplace_back();
      g.a = at;
      g.ranks = p.ranks();
      g.a_stride = static_cast<std::uint32_t>(a.x_stride);
      at += std::size_t{g.ranks} * g.a_stride;
      for (std::uint32_t part = 0; part < a.parts; ++part) {
        const auto stride = static_cast<std::uint32_t>(aligned(p.site.outputs[part]));
        g.part[part] = {at, nullptr, nullptr, part * p.rank, p.rank, stride, 1.0f};
        at += std::size_t{p.rank} * stride;
      }
    }
    if (at != a.x + input_numbers(p) || at > numbers_ + numbers_count_)
      throw failure(fail(errc::internal, "a launch's numbers are not where they should be"));
  }
  std::vector<gpu::lora_segment> segments;
  for (std::uint32_t i = 0; i < p.adapters; ++i) {
    const auto first = static_cast<std::uint32_t>(std::uint64_t{p.rows} * i / p.adapters);
    const auto last = static_cast<std::uint32_t>(std::uint64_t{p.rows} * (i + 1) / p.adapters);
    segments.push_back({first, last - first, i, 1});
  }
  std::vector<gpu::lora_tile> few(gpu::most_lora_tiles(p.rows)), many(few.size());
  std::vector<std::uint32_t> counts(2);
  const std::vector<std::uint32_t> widths(p.adapters, p.ranks());
  const auto grid =
      need(gpu::cut_lora_tiles({segments, widths, p.site.depth, floats_of(p)}, few, many, counts));
  auto* at = tables_;
  const auto put = [&]<class T>(const std::vector<T>& values) {
    auto* place = reinterpret_cast<T*>(at);
    room_.write(place, values);
    at += gpu::arena::charged(values.size() * sizeof(T));
    return place;
  };
  auto* group_table = put(groups);
  auto* use_table = put(uses);
  auto* segment_table = put(segments);
  const gpu::lora_tiles tiles{put(few), put(many), put(counts)};
  for (std::size_t i = 0; i < to.kernels.size(); ++i) {
    auto& a = to.kernels[i];
    a.table = {group_table, nullptr, 1};
    a.segments = segment_table;
    a.uses = use_table + i * p.adapters;
    a.tiles = tiles;
    a.grid = grid;
  }
  to.segments = segments;
  to.groups = groups;
}

/// Products of the same sizes on the same memory, though B lies the other way round in it: X Aᵀ of each
/// adapter's rows, then one per part.
void kernel_bench::put_products(const kernel_point& p, launches& to) {
  auto* inputs = reinterpret_cast<gpu::bfloat*>(inputs_ + floats_of(p));
  const auto stride = aligned(p.ranks());
  for (std::size_t i = 0; i < to.kernels.size(); ++i)
    for (std::uint32_t n = 0; n < p.adapters; ++n) {
      const auto& k = to.kernels[i];
      const auto& s = to.segments[n];
      const auto& g = to.groups[i * p.adapters + n];
      gpu::gemm_args a;
      a.x = k.x + s.first_row * k.x_stride;
      a.x_stride = k.x_stride;
      a.rows = s.rows;
      a.weights = g.a;
      a.depth = k.depth;
      a.outputs = p.ranks();
      a.y = inputs + s.first_row * stride;
      a.y_stride = stride;
      to.products.push_back(a);
      for (std::uint32_t part = 0; part < k.parts; ++part) {
        gpu::gemm_args b;
        b.x = inputs + s.first_row * stride + part * p.rank;
        b.x_stride = stride;
        b.rows = s.rows;
        b.weights = g.part[part].b;
        b.depth = p.rank;
        b.outputs = p.site.outputs[part];
        b.y = static_cast<gpu::bfloat*>(k.y) + s.first_row * k.y_stride + k.first_output[part];
        b.y_stride = k.y_stride;
        b.into = gpu::gemm_into::add;
        to.products.push_back(b);
      }
    }
}

result<void> kernel_bench::run_kernels(const launches& all, bool shrinks, bool expands) const {
  for (auto& a : all.kernels) {
    if (shrinks)
      if (auto ok = gpu::lora_shrink(a, room_.main()); !ok) return ok;
    if (expands)
      if (auto ok = gpu::lora_expand(a, room_.main()); !ok) return ok;
  }
  return {};
}

result<void> kernel_bench::run_products(const launches& all) {
  for (auto& a : all.products)
    if (auto ok = products_.run(a, room_.main()); !ok) return ok;
  return {};
}

kernel_times kernel_bench::measure(const kernel_point& p, const repetition& how) {
  const auto all = lay_out(p);
  const double launches = static_cast<double>(all.kernels.size());
  const auto time = [&](bool shrinks, bool expands) {
    return room_.time_recorded(how, [&] { return run_kernels(all, shrinks, expands); }).per(launches);
  };
  kernel_times out;
  out.shrink = time(true, false);
  out.expand = time(false, true);
  out.pair = time(true, true);
  for (auto& a : all.products)
    need(products_.prepare(a));
  out.products = room_.time_recorded(how, [&] { return run_products(all); }).per(launches);
  return out;
}

double kernel_bench::difference(const kernel_point& p) {
  const auto all = lay_out(p);
  const auto& a = all.kernels.back();
  const auto count = static_cast<std::size_t>(output_numbers(p));
  const auto numbers = room_.read(a.x, static_cast<std::size_t>(input_numbers(p)));
  need(room_.main().fill(a.y, std::byte{0}, count * sizeof(gpu::bfloat)));
  need(run_kernels(all, true, true));
  const auto after = room_.read(static_cast<const gpu::bfloat*>(a.y), count);
  double apart = 0, most = 0;
  for (std::uint32_t row = 0; row < p.rows; ++row) {
    const auto wanted = added_to(p, numbers, row);
    const auto* is = after.data() + row * a.y_stride;
    for (std::size_t n = 0; n < wanted.size(); ++n) {
      apart = std::max(apart, std::abs(double{to_float(is[n])} - wanted[n]));
      most = std::max(most, std::abs(wanted[n]));
    }
  }
  return most > 0 ? apart / most : 1;
}

}  // namespace lorica::bench
