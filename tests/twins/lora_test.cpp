#include "gpu/lora.hpp"

#include <array>

#include "cpu/adapter_packer.hpp"
#include "cpu/embedding.hpp"
#include "cpu/kernels.hpp"
#include "cpu/linear_merge.hpp"
#include "gpu/adapter_packer.hpp"
#include "gpu/adapter_slots.hpp"
#include "gpu/lora_embedding.hpp"
#include "gpu/lora_tiling.hpp"
#include "tests/cpu/planned_step.hpp"
#include "tests/gpu/adapter_weights.hpp"

using namespace lorica;
using namespace lorica::testing;

namespace {

/// A number that an input at the border of two bfloat16 moves by at most `most`, and few numbers by more than
/// `usual`.
struct closeness {
  double usual = 1e-4, most = 0.05;
  std::size_t numbers = 0, moved = 0;

  void compare(float a, float b) {
    const double by = std::abs(static_cast<double>(a) - static_cast<double>(b));
    INFO(a << " and " << b);
    REQUIRE(by <= most);
    ++numbers;
    moved += by > usual * (1 + std::abs(static_cast<double>(a))) ? 1 : 0;
  }
  void check() const {
    INFO(moved << " of " << numbers << " numbers differ");
    CHECK(numbers > 0);
    CHECK(moved * 20 < numbers + 20);
  }
};

lora_site with(lora_site s, bool bias, bool magnitude) {
  if (bias) s.bias = exact_numbers(s.out, s.rank + 5);
  if (magnitude) {
    s.magnitude = exact_numbers(s.out, s.rank + 6);
    for (auto& m : s.magnitude)
      m = 3 + m;
  }
  return s;
}

/// The same adapters for both executors.
struct both_executors {
  model_config model;
  std::shared_ptr<const model_weights> base = exact_weights(model);
  cpu_adapter_packer on_cpu{base, cpu_dtype::bfloat16};
  gpu::gpu_adapter_packer on_gpu{base};
  std::vector<std::shared_ptr<const packed_adapter>> cpu = {};
  std::vector<std::shared_ptr<const gpu::gpu_packed_adapter>> gpu = {};

  void add(std::vector<lora_site> sites, std::vector<module_copy> copies = {}) {
    adapter_weights w;
    w.sites = std::move(sites);
    w.copies = std::move(copies);
    cpu.push_back(must(on_cpu.pack(w, {})));
    gpu.push_back(std::dynamic_pointer_cast<const lorica::gpu::gpu_packed_adapter>(must(on_gpu.pack(w, {}))));
    CHECK(cpu.back()->ranks() == gpu.back()->ranks());
    CHECK(cpu.back()->stands_alone() == gpu.back()->stands_alone());
    CHECK(cpu.back()->shape().scaling == gpu.back()->shape().scaling);
    CHECK(cpu.back()->shape().modules.size() == gpu.back()->shape().modules.size());
  }

  const cpu_packed_adapter& cpu_at(std::size_t i) const {
    return dynamic_cast<const cpu_packed_adapter&>(*cpu[i]);
  }
};

/// Segments whose uses name adapters by their number.
struct plan_of_segments {
  std::vector<segment> segments = {};
  std::vector<std::pair<std::uint32_t, float>> uses = {};
  std::uint32_t rows = 0;

  void add(std::uint32_t hole, std::uint32_t count, std::vector<std::pair<std::uint32_t, float>> of,
           combination combine = combination::sum) {
    segments.push_back({rows + hole, count, static_cast<std::uint32_t>(uses.size()),
                        static_cast<std::uint32_t>(of.size()), combine});
    uses.insert(uses.end(), of.begin(), of.end());
    rows += hole + count;
  }
};

struct group_inputs {
  std::uint32_t layer;
  lora_group which;
  std::uint32_t depth;
  std::vector<std::uint32_t> outputs;
  std::vector<gpu::bfloat> x = {};  // [rows][padded_depth]
  std::vector<float> y = {};        // [rows][outputs]

  std::uint32_t width() const {
    std::uint32_t out = 0;
    for (auto n : outputs)
      out += n;
    return out;
  }
};

group_inputs inputs_of(const model_config& m, std::uint32_t layer, lora_group which, std::uint32_t rows) {
  const auto q = m.heads * m.head_dim, kv = m.kv_heads * m.head_dim;
  group_inputs out{layer, which, m.hidden, {}};
  switch (which) {
    case lora_group::qkv: out.outputs = {q, kv, kv}; break;
    case lora_group::o: out.outputs = {m.hidden}, out.depth = q; break;
    case lora_group::gate_up: out.outputs = {m.ffn, m.ffn}; break;
    case lora_group::down: out.outputs = {m.hidden}, out.depth = m.ffn; break;
    case lora_group::head: out.outputs = {m.vocab}; break;
  }
  const auto stride = padded_depth(out.depth);
  auto x = exact_numbers(std::size_t{rows} * stride, 77);
  for (std::size_t i = 0; i < x.size(); ++i)
    if (i % stride >= out.depth) x[i] = 0;
  out.x = as_bfloat(x);
  out.y = exact_numbers(std::size_t{rows} * out.width(), 78);
  return out;
}

/// One segment of a group, as `forward` has it computed.
class cpu_segment {
 public:
  cpu_segment(const both_executors& e, const plan_of_segments& plan, const segment& s, const group_inputs& in)
      : e_(e), plan_(plan), s_(s), in_(in) {
    for (auto use = s.first_use; use < s.first_use + s.uses; ++use)
      width_ += group(use).ranks;
    numbers_.resize(std::size_t{s.rows} * width_);
    low_rank_ = {reinterpret_cast<std::byte*>(numbers_.data()), width_, 2};
  }

  /// Adds to one part's outputs [rows][blocks * 32].
  void run(std::uint32_t part, std::vector<float>& y, std::size_t stride) {
    shrink();
    if (s_.combine == combination::linear) merge();
    std::uint32_t column = 0;
    for (auto use = s_.first_use; use < s_.first_use + s_.uses; ++use) {
      auto& g = group(use);
      for (std::uint32_t i = 0; i < g.sites; ++i)
        if (g.site[i].part == part) expand(g.site[i], plan_.uses[use].second, column, y, stride);
      column += g.ranks;
    }
  }

 private:
  const packed_group& group(std::uint32_t use) const {
    return e_.cpu_at(plan_.uses[use].first).group(in_.layer, in_.which);
  }

  void shrink() {
    const auto stride = padded_depth(in_.depth);
    std::uint32_t column = 0;
    for (auto use = s_.first_use; use < s_.first_use + s_.uses; ++use) {
      auto& g = group(use);
      const auto* scaling = s_.combine == combination::sum ? g.scaling : nullptr;
      if (g.ranks != 0)
        kernels_.shrink({in_.x.data() + s_.first_row * stride, stride, s_.rows, g.a, g.depth, g.ranks,
                         scaling, plan_.uses[use].second, low_rank_.row(0) + column * 2, width_});
      column += g.ranks;
    }
  }

  void merge() {
    for (std::uint32_t part = 0; part < 3; ++part) {
      std::vector<merged_input> inputs;
      std::uint32_t rank = 0, column = 0;
      for (auto use = s_.first_use; use < s_.first_use + s_.uses; ++use) {
        if (auto* site = group(use).module_at(part)) {
          inputs.push_back({column + site->column, plan_.uses[use].second});
          rank = site->rank;
        }
        column += group(use).ranks;
      }
      const auto scaling = e_.cpu[plan_.uses[s_.first_use].first]->shape().scaling.value();
      merge_inputs(inputs, rank, scaling, low_rank_, {0, s_.rows});
    }
  }

  void expand(const packed_site& site, float weight, std::uint32_t column, std::vector<float>& y,
              std::size_t stride) {
    outputs_args change;
    change.y = y.data();
    change.y_stride = stride;
    change.rows = s_.rows;
    change.width = site.blocks * block_outputs;
    change.gain = site.gain;
    change.offset = site.offset;
    change.weight = weight;
    if (site.gain || site.offset) kernels_.outputs(change);
    gemm_args add;
    add.x = low_rank_.row(0) + std::size_t{column + site.column} * 2;
    add.x_stride = width_;
    add.rows = s_.rows;
    add.weights = site.b;
    add.depth = site.rank;
    add.blocks = site.blocks;
    add.y = y.data();
    add.y_stride = stride;
    add.into = gemm_into::add;
    kernels_.gemm(add);
  }

  const both_executors& e_;
  const plan_of_segments& plan_;
  const segment& s_;
  const group_inputs& in_;
  const kernel_table& kernels_ = kernels_for(isa::portable, cpu_dtype::bfloat16);
  std::uint32_t width_ = 0;
  std::vector<std::uint16_t> numbers_;
  row_buffer low_rank_;
};

std::vector<float> run_on_cpu(const both_executors& e, const plan_of_segments& plan, const group_inputs& in) {
  auto out = in.y;
  for (auto& s : plan.segments) {
    std::size_t first = 0;
    for (std::uint32_t part = 0; part < in.outputs.size(); first += in.outputs[part++]) {
      const std::size_t stride = std::size_t{blocks_for(in.outputs[part])} * block_outputs;
      std::vector<float> y(s.rows * stride);
      const auto at = [&](std::uint32_t row) { return (s.first_row + row) * in.width() + first; };
      for (std::uint32_t row = 0; row < s.rows; ++row)
        std::copy_n(out.data() + at(row), in.outputs[part], y.data() + row * stride);
      cpu_segment(e, plan, s, in).run(part, y, stride);
      for (std::uint32_t row = 0; row < s.rows; ++row)
        std::copy_n(y.data() + row * stride, in.outputs[part], out.data() + at(row));
    }
  }
  return out;
}

/// The adapters in slots of the device, and the segments there.
struct device_plan {
  gpu::adapter_slots slots;
  std::vector<gpu::lora_segment> segments = {};
  std::vector<gpu::lora_use> uses = {};
  std::vector<std::uint32_t> widths = {};
};

device_plan put_plan(test_device& d, const both_executors& e, const plan_of_segments& plan) {
  device_plan out{must(gpu::adapter_slots::create(
      d.memory, {.layers = e.model.layers, .slots = 16, .bytes = std::uint64_t{8} << 20}))};
  std::vector<std::uint32_t> all;
  for (auto& adapter : e.gpu) {
    must(out.slots.attach(adapter, d.stream));
    all.push_back(out.slots.slot_of(*adapter).value());
  }
  for (std::uint32_t layer = 0; layer < e.model.layers; ++layer)
    must(out.slots.wait_for(d.stream, all, gpu::adapter_arrival::layer, layer));
  must(out.slots.wait_for(d.stream, all, gpu::adapter_arrival::embedding));
  must(out.slots.wait_for(d.stream, all, gpu::adapter_arrival::head));
  for (auto& [adapter, weight] : plan.uses)
    out.uses.push_back({all[adapter], weight});
  for (auto& s : plan.segments) {
    std::uint32_t width = 0;
    for (auto use = s.first_use; use < s.first_use + s.uses; ++use)
      width += e.gpu[plan.uses[use].first]->widest();
    out.widths.push_back(width);
    const auto scaling = e.gpu[plan.uses[s.first_use].first]->shape().scaling.value_or(0.0f);
    out.segments.push_back(
        {s.first_row, s.rows, s.first_use, s.uses, s.combine == combination::linear ? 1u : 0u, scaling});
  }
  return out;
}

std::vector<float> run_on_gpu(test_device& d, const device_plan& plan, const both_executors& e,
                              const group_inputs& in, std::uint32_t rows) {
  gpu::lora_args a;
  a.table = plan.slots.table();
  a.group = gpu::group_index(in.layer, in.which, e.model.layers);
  a.segments = d.put(plan.segments);
  a.uses = d.put(plan.uses);
  std::vector<gpu::lora_tile> few(rows), many(rows);
  std::vector<std::uint32_t> counts(2);
  const auto room = gpu::lora_input_floats(rows, rows, 400, in.depth);
  a.grid = must(gpu::cut_lora_tiles({plan.segments, plan.widths, in.depth, room, {3, 3}}, few, many, counts));
  a.tiles = {d.put(few), d.put(many), d.put(counts)};
  a.x = d.put(in.x);
  a.x_stride = padded_depth(in.depth);
  a.depth = in.depth;
  a.inputs = d.room<float>(room);
  auto* y = d.put(in.y);
  a.y = y;
  a.y_stride = in.width();
  a.format = gpu::number_format::float32;
  a.parts = static_cast<std::uint32_t>(in.outputs.size());
  for (std::uint32_t part = 0; part < a.parts; ++part)
    a.first_output[part + 1] = a.first_output[part] + in.outputs[part];
  must(gpu::lora_shrink(a, d.stream));
  must(gpu::lora_expand(a, d.stream));
  return d.get(y, in.y.size());
}

void compare_groups(const both_executors& e, const plan_of_segments& plan) {
  auto d = open_test_device();
  const auto on_device = put_plan(*d, e, plan);
  for (auto which :
       {lora_group::qkv, lora_group::o, lora_group::gate_up, lora_group::down, lora_group::head}) {
    const auto in = inputs_of(e.model, which == lora_group::head ? 0 : 1, which, plan.rows);
    const auto a = run_on_cpu(e, plan, in), b = run_on_gpu(*d, on_device, e, in, plan.rows);
    closeness close;
    for (std::size_t i = 0; i < a.size(); ++i)
      close.compare(a[i], b[i]);
    close.check();
    CHECK(a != in.y);
  }
}

std::vector<lora_site> sites_of(const model_config& m, std::vector<projection> where, std::uint32_t rank,
                                float scaling, bool bias = false, bool magnitude = false) {
  std::vector<lora_site> out;
  for (std::uint32_t layer = 0; layer < m.layers; ++layer)
    for (auto p : where)
      if (in_layer(p)) out.push_back(with(site_of(m, layer, p, rank, scaling), bias, magnitude));
  for (auto p : where)
    if (!in_layer(p)) out.push_back(with(site_of(m, 0, p, rank, scaling), bias, magnitude));
  return out;
}

using projection::q, projection::k, projection::v, projection::o, projection::gate, projection::up,
    projection::down, projection::qkv, projection::gate_up, projection::head;

}  // namespace

TEST_CASE("both executors add the same for adapters in sums, merges, with biases and with magnitudes") {
  if (!open_test_device()) return;
  both_executors e{small_model()};
  e.add(sites_of(e.model, {q, k, v, o, gate, up, down, head}, 8, 0.25f));
  e.add(sites_of(e.model, {q, v, up, down, o, head}, 3, 0.5f, true));
  e.add(sites_of(e.model, {q, k, v, o, gate, up, down, head}, 5, 0.125f, true, true));
  e.add(sites_of(e.model, {q, v, down, head}, 8, 0.5f));
  plan_of_segments plan;
  plan.add(1, 2, {{0, 1.0f}});
  plan.add(0, 1, {{1, 1.0f}});
  plan.add(2, 5, {{1, 0.5f}, {0, -0.75f}});
  plan.add(0, 1, {{2, 1.0f}});
  plan.add(0, 2, {{0, 0.5f}, {3, 0.25f}}, combination::linear);
  plan.rows += 1;
  compare_groups(e, plan);
}

TEST_CASE("both executors add the same for modules that keep several projections in one") {
  if (!open_test_device()) return;
  auto m = small_model();
  m.fused = true;
  both_executors e{m};
  e.add(sites_of(m, {qkv, o, gate_up, down, head}, 6, 0.25f));
  e.add(sites_of(m, {qkv, gate_up, down, o, head}, 4, 0.5f, false, true));
  e.add(sites_of(m, {qkv, o, gate_up, down, head}, 6, 0.125f));
  plan_of_segments plan;
  plan.add(0, 1, {{0, 1.0f}});
  plan.add(0, 4, {{1, 1.0f}});
  plan.add(1, 2, {{0, 0.5f}, {2, 0.5f}}, combination::linear);
  compare_groups(e, plan);
}

TEST_CASE("rows with adapted embeddings begin alike in both executors") {
  auto d = open_test_device();
  if (!d) return;
  auto m = small_model();
  m.embedding_scale = 6.5f;
  both_executors e{m};
  e.add({site_of(m, 0, projection::embed, 70, 0.25f)});
  e.add({site_of(m, 0, projection::embed, 3, 0.5f), site_of(m, 1, down, 4)});
  e.add({site_of(m, 1, down, 4)},
        {{projection::embed, m.vocab, m.hidden, exact_numbers(m.vocab * m.hidden, 90)}});
  e.add({site_of(m, 0, projection::embed, 70, 2)});
  plan_of_segments plan;
  plan.add(1, 2, {{0, 1.0f}});
  plan.add(0, 1, {{2, 1.0f}});
  plan.add(0, 1, {{1, 0.5f}, {0, -0.25f}});
  plan.add(1, 2, {{0, 0.5f}, {3, 0.25f}}, combination::linear);
  executor_limits limits;
  limits.blocks = 8;
  limits.max_sequences = 2;
  limits.max_rows = 16;
  limits.max_positions = 64;
  planned_step s(limits, m);
  const std::vector<token_id> tokens{9, 98, 7, 0, 5, 44, 9, 13};
  REQUIRE(tokens.size() == plan.rows);
  s.add(0, 0, tokens, {0});
  s.step.segments = plan.segments;
  std::unordered_set<const packed_adapter*> attached;
  for (auto& [adapter, weight] : plan.uses)
    s.step.uses.push_back({e.cpu[adapter].get(), weight});
  for (auto& adapter : e.cpu)
    attached.insert(adapter.get());
  must(s.plan.prepare(s.step, attached, s.history, 1));
  auto w = must(workspace::allocate(m, limits, cpu_dtype::bfloat16, 2, 1 << 20));
  must(w.reserve_low_rank(200, limits.max_rows, cpu_dtype::bfloat16));
  const auto rule = embedding_rule_for(m, cpu_dtype::bfloat16, limits.max_positions);
  lorica::embed(*e.base, nullptr, kernels_for(isa::portable, cpu_dtype::bfloat16), s.plan, rule, w,
                {0, plan.rows});

  const auto on_device = put_plan(*d, e, plan);
  std::vector<float> table(std::size_t{m.vocab} * m.hidden);
  e.base->embedding().read_rows(0, table);
  std::vector<std::uint32_t> segment_of(plan.rows, gpu::no_segment);
  for (std::uint32_t i = 0; i < plan.segments.size(); ++i)
    std::fill_n(segment_of.begin() + plan.segments[i].first_row, plan.segments[i].rows, i);
  gpu::lora_embedding_args a;
  a.adapters = on_device.slots.table();
  a.segments = {d->put(segment_of), d->put(on_device.segments), nullptr, d->put(on_device.uses)};
  a.tokens = d->put(tokens);
  a.rows = plan.rows;
  a.table = d->put(as_bfloat(table));
  a.vocab = m.vocab;
  a.width = m.hidden;
  a.scale = rule.scale;
  auto* rows = d->room<float>(std::size_t{plan.rows} * m.hidden);
  a.x = rows;
  a.x_stride = m.hidden;
  must(gpu::lora_embed(a, d->stream));
  const auto x = d->get(rows, std::size_t{plan.rows} * m.hidden);
  closeness close{.usual = 1e-5, .most = 1e-4};
  for (std::uint32_t row = 0; row < plan.rows; ++row)
    for (std::size_t k = 0; k < m.hidden; ++k) {
      const float on_gpu = x[row * m.hidden + k];
      if (segment_of[row] == gpu::no_segment)
        REQUIRE(std::isnan(on_gpu));
      else
        close.compare(w.residual.floats(row)[k], on_gpu);
    }
  close.check();
}
