#include "cpu/forward.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "cpu/linear_merge.hpp"

namespace lorica {
namespace {

float* floats(std::byte* at) noexcept {
  return reinterpret_cast<float*>(at);
}

step_phase phase_of(lora_group group) noexcept {
  switch (group) {
    case lora_group::qkv: return step_phase::qkv;
    case lora_group::o: return step_phase::o;
    case lora_group::gate_up: return step_phase::gate_up;
    case lora_group::down: return step_phase::down;
    default: return step_phase::head;
  }
}

input_group* groups_of(const linear_input& x, std::size_t row) noexcept {
  return reinterpret_cast<input_group*>(x.groups.row(row));
}

/// The rows of a group's A that a member multiplies by, in whole tiles.
share ranks_of(const packed_group& g, unsigned member, unsigned members) noexcept {
  auto mine = share_of((g.ranks + rank_tile - 1) / rank_tile, member, members);
  return {std::min(mine.first * rank_tile, g.ranks), std::min(mine.last * rank_tile, g.ranks)};
}

}  // namespace

forward::forward(std::shared_ptr<const model_weights> model, std::unique_ptr<const packed_weights> weights,
                 const kernel_table& kernels, cpu_mode mode, std::uint32_t block_tokens, kv_cache cache,
                 workspace memory, std::uint32_t max_positions, thread_team& team, step_profile* profile)
    : model_(std::move(model)),
      weights_(std::move(weights)),
      kernels_(kernels),
      mode_(mode),
      dtype_(mode.dtype),
      block_tokens_(block_tokens),
      cache_(std::move(cache)),
      memory_(std::move(memory)),
      team_(team),
      profile_(profile),
      embedding_(embedding_rule_for(model_->config(), mode.dtype, max_positions)) {}

void forward::pass(step_phase phase, unsigned member) {
  if (profile_) profile_->worked(member, phase);
  team_.barrier(member);
  if (profile_) profile_->waited(member, phase);
}

void forward::layers(const step_plan& plan, unsigned member) {
  if (profile_) profile_->begin(member);
  embed(*model_, weights_->tied_embedding(), kernels_, plan, embedding_, memory_,
        share_of(plan.rows(), member, team_.active()));
  pass(step_phase::embed, member);
  for (std::uint32_t layer = 0; layer < weights_->layers().size(); ++layer) {
    attention_layer(plan, layer, member);
    feed_forward(plan, layer, member);
  }
}

bool forward::wants_values(const step_plan& plan) const noexcept {
  return !mode_.int8 || !plan.step().segments.empty();
}

void forward::norm_row(const step_plan& plan, const float* weight, std::uint32_t from, const linear_input& to,
                       std::uint32_t row) {
  auto& m = model_->config();
  kernels_.norm({floats(memory_.residual.row(from)), weight, m.hidden, padded_depth(m.hidden), m.norm_epsilon,
                 wants_values(plan) ? to.values.row(row) : nullptr,
                 mode_.int8 ? groups_of(to, row) : nullptr});
}

void forward::norm_rows(const step_plan& plan, const float* weight, unsigned member) {
  auto mine = share_of(plan.rows(), member, team_.active());
  for (auto row = mine.first; row < mine.last; ++row)
    norm_row(plan, weight, row, memory_.normed, row);
  pass(step_phase::norm, member);
}

void forward::attention_layer(const step_plan& plan, std::uint32_t layer, unsigned member) {
  auto& w = weights_->layers()[layer];
  norm_rows(plan, w.attn_norm, member);
  linear(plan, layer, lora_group::qkv, w.qkv, memory_.normed, gemm_into::store, memory_.qkv, member);
  rope_rows(plan, layer, member);
  attend(plan, layer, member);
  add_branch(plan, layer, lora_group::o, w.o, memory_.attended, w.after_attention, member);
}

void forward::rope_rows(const step_plan& plan, std::uint32_t layer, unsigned member) {
  auto& m = model_->config();
  auto& w = weights_->layers()[layer];
  auto& qkv = w.qkv;
  auto mine = share_of(plan.rows(), member, team_.active());
  rope_args a;
  a.heads = m.heads;
  a.kv_heads = m.kv_heads;
  a.head_dim = m.head_dim;
  a.rotary_dim = m.rotary_dim;
  a.padded_dim = padded_head_dim(m.head_dim);
  a.q_norm = w.q_norm;
  a.k_norm = w.k_norm;
  a.epsilon = m.norm_epsilon;
  a.head_stride = cache_.head_stride();
  a.block_tokens = block_tokens_;
  for (auto row = mine.first; row < mine.last; ++row) {
    auto* x = floats(memory_.qkv.row(row));
    a.query = x;
    a.key = x + std::size_t{qkv.first_block[1]} * block_outputs;
    a.value = x + std::size_t{qkv.first_block[2]} * block_outputs;
    a.cos = floats(memory_.cos.row(row));
    a.sin = floats(memory_.sin.row(row));
    a.q = memory_.query.row(row);
    auto position = plan.position(row);
    a.cache = cache_.at(layer, 0) + plan.blocks(row)[position / block_tokens_] * cache_.block_stride();
    a.token = position % block_tokens_;
    kernels_.rope(a);
  }
  pass(step_phase::rope, member);
}

void forward::attend(const step_plan& plan, std::uint32_t layer, unsigned member) {
  auto& m = model_->config();
  const auto group = m.heads / m.kv_heads;
  const auto element = element_bytes(dtype_);
  attention_args a;
  a.head_dim = m.head_dim;
  a.padded_dim = padded_head_dim(m.head_dim);
  a.block_stride = cache_.block_stride();
  a.block_tokens = block_tokens_;
  a.scale = m.attention_scale;
  a.softcap = m.attention_softcap;
  const auto window = m.window(layer);
  const bool whole_groups = mode_.int8 && m.head_dim % depth_multiple == 0;
  auto at = plan.attention_begin(member);
  auto end = plan.attention_begin(member + 1);
  while (at.row < end.row || (at.row == end.row && at.head < end.head)) {
    auto last = std::min((at.head / group + 1) * group, at.row == end.row ? end.head : m.heads);
    a.q = memory_.query.row(at.row) + std::size_t{at.head} * a.padded_dim * element;
    a.heads = last - at.head;
    a.cache = cache_.at(layer, at.head / group);
    a.blocks = plan.blocks(at.row);
    a.tokens = plan.position(at.row) + 1;
    a.first = window != 0 && a.tokens > window ? a.tokens - window : 0;
    a.cold = at.row == 0 || plan.blocks(at.row) != plan.blocks(at.row - 1);
    a.y = memory_.attended.values.row(at.row) + std::size_t{at.head} * m.head_dim * element;
    kernels_.attention(a);
    if (whole_groups) quantise_attended(at.row, at.head * m.head_dim, a.heads * m.head_dim);
    at = last == m.heads ? attention_item{at.row + 1, 0} : attention_item{at.row, last};
  }
  pass(step_phase::attention, member);
  if (!mode_.int8 || whole_groups) return;
  auto mine = share_of(plan.rows(), member, team_.active());
  for (auto row = mine.first; row < mine.last; ++row)
    quantise_attended(row, 0, padded_depth(m.heads * m.head_dim));
  pass(step_phase::attention, member);
}

/// Elements [first, first + width) of what attention gave a row, whole groups.
void forward::quantise_attended(std::uint32_t row, std::uint32_t first, std::uint32_t width) {
  kernels_.quantise({memory_.attended.values.row(row) + std::size_t{first} * element_bytes(dtype_), width,
                     groups_of(memory_.attended, row) + first / depth_multiple});
}

/// Gate and up of the same columns are computed one after the other into a strip that stays in the member's
/// cache, with what adapters add, before the activation joins them.
void forward::feed_forward(const step_plan& plan, std::uint32_t layer, unsigned member) {
  auto& w = weights_->layers()[layer];
  norm_rows(plan, w.ffn_norm, member);
  shrink(plan, layer, lora_group::gate_up, memory_.normed.values, member);
  const auto rows = plan.rows();
  const auto up = w.gate_up.first_block[1];
  auto mine = share_of(up, member, team_.active());
  const auto width = std::max<std::uint32_t>(
      1, static_cast<std::uint32_t>(memory_.strip.stride / (std::size_t{rows} * 2 * block_outputs)));
  auto* gate_y = floats(memory_.strip.row(member));
  for (auto block = mine.first; block < mine.last; block += width) {
    const auto end = std::min(block + width, mine.last);
    const auto columns = (end - block) * block_outputs;
    const std::size_t stride = std::size_t{2} * columns;
    multiply(plan, layer, lora_group::gate_up, w.gate_up, memory_.normed, {block, end}, gemm_into::store,
             gate_y, stride, member);
    multiply(plan, layer, lora_group::gate_up, w.gate_up, memory_.normed, {up + block, up + end},
             gemm_into::store, gate_y + columns, stride, member);
    auto& out = memory_.activated;
    auto* y = out.values.row(0) + std::size_t{block} * block_outputs * out.values.element_size;
    kernels_.activation({gate_y, gate_y + columns, stride, rows, columns, wants_values(plan) ? y : nullptr,
                         out.values.stride, model_->config().activation,
                         mode_.int8 ? groups_of(out, 0) + block : nullptr, out.groups.stride});
  }
  pass(step_phase::gate_up, member);
  add_branch(plan, layer, lora_group::down, w.down, memory_.activated, w.after_ffn, member);
}

void forward::add_branch(const step_plan& plan, std::uint32_t layer, lora_group group,
                         const packed_matrix& matrix, const linear_input& x, const float* norm,
                         unsigned member) {
  if (!norm) return linear(plan, layer, group, matrix, x, gemm_into::add, memory_.residual, member);
  linear(plan, layer, group, matrix, x, gemm_into::store, memory_.branch, member);
  auto& m = model_->config();
  auto mine = share_of(plan.rows(), member, team_.active());
  for (auto row = mine.first; row < mine.last; ++row)
    kernels_.norm_add({floats(memory_.branch.row(row)), norm, m.hidden, padded_depth(m.hidden),
                       m.norm_epsilon, memory_.residual.row(row)});
  pass(step_phase::norm, member);
}

void forward::linear(const step_plan& plan, std::uint32_t layer, lora_group group,
                     const packed_matrix& matrix, const linear_input& x, gemm_into into, const row_buffer& y,
                     unsigned member) {
  shrink(plan, layer, group, x.values, member);
  auto mine = share_of(matrix.blocks, member, team_.active());
  multiply(plan, layer, group, matrix, x, mine, into,
           floats(y.data) + std::size_t{mine.first} * block_outputs, y.stride, member);
  pass(phase_of(group), member);
}

void forward::multiply(const step_plan& plan, std::uint32_t layer, lora_group group,
                       const packed_matrix& matrix, const linear_input& x, share blocks, gemm_into into,
                       float* y, std::size_t y_stride, unsigned member) {
  if (blocks.first == blocks.last) return;
  std::uint32_t next = 0;
  for (auto& s : plan.step().segments) {
    if (into != gemm_into::add || !plan.adapter(s.first_use).group(layer, group).rescales()) continue;
    product(matrix, x, {next, s.first_row}, blocks, into, y + next * y_stride, y_stride);
    rescaled(plan, layer, group, s, matrix, x, blocks, y + s.first_row * y_stride, y_stride, member);
    next = s.first_row + s.rows;
  }
  product(matrix, x, {next, plan.rows()}, blocks, into, y + next * y_stride, y_stride);
  for (auto& s : plan.step().segments)
    if (into != gemm_into::add || !plan.adapter(s.first_use).group(layer, group).rescales())
      expand(plan, layer, group, s, matrix, blocks, y + s.first_row * y_stride, y_stride);
}

void forward::product(const packed_matrix& matrix, const linear_input& x, share rows, share blocks,
                      gemm_into into, float* y, std::size_t y_stride) {
  if (rows.first == rows.last) return;
  gemm_args a;
  const auto& input = is_quantised(matrix.format) ? x.groups : x.values;
  a.x = input.row(rows.first);
  a.x_stride = input.stride;
  a.rows = rows.last - rows.first;
  a.weights = matrix.data + blocks.first * matrix.block_bytes();
  a.depth = matrix.depth;
  a.blocks = blocks.last - blocks.first;
  a.bias = matrix.bias ? matrix.bias + std::size_t{blocks.first} * block_outputs : nullptr;
  a.y = y;
  a.y_stride = y_stride;
  a.into = into;
  kernels_.gemm_for(matrix.format)(a);
}

/// Base and adapter of a segment into the member's strip, from where each row is added to `y`, the segment's
/// first row.
void forward::rescaled(const step_plan& plan, std::uint32_t layer, lora_group group, const segment& s,
                       const packed_matrix& matrix, const linear_input& x, share blocks, float* y,
                       std::size_t y_stride, unsigned member) {
  auto* strip = floats(memory_.strip.row(member));
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

void forward::head(const step_plan& plan, std::uint32_t first, std::uint32_t count, unsigned member) {
  auto rows = share_of(count, member, team_.active());
  for (auto i = rows.first; i < rows.last; ++i) {
    norm_row(plan, weights_->final_norm(), plan.readings()[first + i].row, memory_.head_input, i);
  }
  pass(step_phase::head, member);
  if (plan.changes_head()) {
    for_head_runs(plan, first, count, [&](const segment& run, bool changed) {
      if (changed) shrink_segment(plan, 0, lora_group::head, run, memory_.head_input.values, member);
    });
    pass(step_phase::head, member);
  }
  if (plan.changes_head() && plan.merges()) {
    for_head_runs(plan, first, count, [&](const segment& run, bool changed) {
      if (changed) merge_segment(plan, 0, lora_group::head, run, member);
    });
    pass(step_phase::head, member);
  }
  // Whole pieces, so that their sums do not depend on the number of threads.
  constexpr auto piece_blocks = summary_logits / block_outputs;
  const auto blocks = weights_->head().blocks;
  const auto pieces = share_of((blocks + piece_blocks - 1) / piece_blocks, member, team_.active());
  logits(plan, first, count,
         {std::min(pieces.first * piece_blocks, blocks), std::min(pieces.last * piece_blocks, blocks)});
  summarise(count, pieces);
  pass(step_phase::head, member);
}

/// Neighbouring readings with the same matrix in one product, then what each run of them adds.
void forward::logits(const step_plan& plan, std::uint32_t first, std::uint32_t count, share blocks) {
  auto at = [&](std::uint32_t row) {
    return floats(memory_.logits.row(row)) + std::size_t{blocks.first} * block_outputs;
  };
  const auto stride = memory_.logits.stride;
  share together{0, 0};
  const packed_matrix* matrix = &weights_->head();
  auto flush = [&] {
    product(*matrix, memory_.head_input, together, blocks, gemm_into::store, at(together.first), stride);
  };
  for_head_runs(plan, first, count, [&](const segment& run, bool changed) {
    auto& own = head_matrix(plan, run, changed);
    if (&own != matrix) {
      flush();
      together = {run.first_row, run.first_row};
      matrix = &own;
    }
    together.last = run.first_row + run.rows;
  });
  flush();
  for_head_runs(plan, first, count, [&](const segment& run, bool changed) {
    if (changed) expand(plan, 0, lora_group::head, run, weights_->head(), blocks, at(run.first_row), stride);
  });
  const auto cap = model_->config().logit_softcap;
  for (std::uint32_t i = 0; i < count && cap > 0; ++i)
    kernels_.softcap({at(i), std::size_t{blocks.last - blocks.first} * block_outputs, cap});
}

void forward::summarise(std::uint32_t count, share pieces) {
  const auto vocab = model_->config().vocab;
  for (std::uint32_t row = 0; row < count; ++row)
    for (auto p = pieces.first; p < pieces.last; ++p) {
      const auto first = p * summary_logits;
      kernels_.summary({floats(memory_.logits.row(row)) + first, std::min(summary_logits, vocab - first),
                        reinterpret_cast<logit_piece*>(memory_.pieces.row(row)) + p});
    }
}

const packed_matrix& forward::head_matrix(const step_plan& plan, const segment& run, bool changed) const {
  if (!changed) return weights_->head();
  auto& own = plan.adapter(run.first_use).head_matrix();
  return own.data ? own : weights_->head();
}

/// Calls `work` for readings [first, first + count) in runs of equal segments: rows of a run count from
/// `first`.
template <class Work>
void forward::for_head_runs(const step_plan& plan, std::uint32_t first, std::uint32_t count,
                            const Work& work) {
  auto segment_at = [&](std::uint32_t i) { return plan.head_segment_of(plan.readings()[first + i].row); };
  for (std::uint32_t begin = 0, end = 0; begin < count; begin = end) {
    auto* s = segment_at(begin);
    for (end = begin + 1; end < count && segment_at(end) == s;)
      ++end;
    segment run = s ? *s : segment{};
    run.first_row = begin;
    run.rows = end - begin;
    work(run, s != nullptr);
  }
}

}  // namespace lorica
