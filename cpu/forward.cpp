#include "cpu/forward.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace lorica {
namespace {

step_phase phase_of(lora_group group) noexcept {
  switch (group) {
    case lora_group::qkv: return step_phase::qkv;
    case lora_group::o: return step_phase::o;
    case lora_group::gate_up: return step_phase::gate_up;
    case lora_group::down: return step_phase::down;
    default: return step_phase::head;
  }
}

/// Rows of a strip: whole tiles, few enough that it has room for several blocks.
constexpr std::uint32_t strip_rows = 48;

}  // namespace

segment forward::within(segment s, share rows) noexcept {
  const auto first = std::max(s.first_row, rows.first);
  const auto last = std::min(s.first_row + s.rows, rows.last);
  s.first_row = first;
  s.rows = first < last ? last - first : 0;
  return s;
}

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

void forward::layers(const step_plan& plan, const step_plan& read, unsigned member) {
  if (profile_) profile_->begin(member);
  embed(*model_, weights_->tied_embedding(), kernels_, plan, embedding_, memory_,
        share_of(plan.rows(), member, team_.active()));
  pass(step_phase::embed, member);
  const auto last = static_cast<std::uint32_t>(weights_->layers().size()) - 1;
  for (std::uint32_t layer = 0; layer < last; ++layer) {
    keys_and_values(plan, layer, member);
    attention_layer(plan, layer, member);
    feed_forward(plan, layer, member);
  }
  keys_and_values(plan, last, member);
  if (read.rows() == 0) return;
  if (&read != &plan) keep_rows(read, member);
  attention_layer(read, last, member);
  feed_forward(read, last, member);
  if (!read.step().segments.empty()) pass(step_phase::down, member);  // what adapters add goes by rows
}

bool forward::wants_values(const step_plan& plan) const noexcept {
  const bool plain_adapters = !mode_.int8_adapters && !plan.step().segments.empty();
  return !mode_.int8 || plain_adapters || plan.changes_head();
}

void forward::norm_row(const step_plan& plan, const float* weight, std::uint32_t from, const linear_input& to,
                       std::uint32_t row) {
  auto& m = model_->config();
  kernels_.norm({memory_.residual.floats(from), weight, m.hidden, padded_depth(m.hidden), m.norm_epsilon,
                 wants_values(plan) ? to.values.row(row) : nullptr, mode_.int8 ? to.groups_of(row) : nullptr,
                 to.high_of(row)});
}

/// A member shrinks the rows that it has normalised: nobody waits in between.
void forward::norm_rows(const step_plan& plan, std::uint32_t layer, lora_group group, const float* weight,
                        unsigned member) {
  const auto mine = share_of(plan.rows(), member, team_.active());
  for (auto row = mine.first; row < mine.last; ++row)
    norm_row(plan, weight, row, memory_.normed, row);
  if (!plan.step().segments.empty()) {
    if (profile_) profile_->worked(member, step_phase::norm);
    shrink(plan, layer, group, memory_.normed, mine);
    return pass(step_phase::shrink, member);
  }
  pass(step_phase::norm, member);
}

void forward::keys_and_values(const step_plan& plan, std::uint32_t layer, unsigned member) {
  auto& w = weights_->layers()[layer];
  norm_rows(plan, layer, lora_group::qkv, w.attn_norm, member);
  linear(plan, layer, lora_group::qkv, w.qkv, memory_.normed, gemm_into::store, memory_.qkv, member);
  rope_rows(plan, layer, member);
}

void forward::keep_rows(const step_plan& read, unsigned member) {
  for (std::uint32_t row = 0; member == 0 && row < read.rows(); ++row) {
    const auto from = read.whole_row(row);  // never before `row`
    if (from == row) continue;
    for (auto* b : {&memory_.residual, &memory_.query})
      std::memcpy(b->row(row), b->row(from), b->stride * b->element_size);
  }
  pass(step_phase::rope, member);
}

void forward::attention_layer(const step_plan& plan, std::uint32_t layer, unsigned member) {
  auto& w = weights_->layers()[layer];
  attend(plan, layer, member);
  add_branch(plan, layer, lora_group::o, w.o, memory_.attended, w.after_attention, member);
}

/// Gate and up of the same columns are computed one after the other into a strip that stays in the member's
/// cache, with what adapters add, before the activation joins them.
void forward::gate_strip(const step_plan& plan, std::uint32_t layer, share rows, share blocks,
                         unsigned member) {
  auto& gate_up = weights_->layers()[layer].gate_up;
  const auto up = gate_up.first_block[1];
  const auto columns = (blocks.last - blocks.first) * block_outputs;
  const std::size_t stride = std::size_t{2} * columns;
  auto* gate_y = memory_.strip.floats(member);
  multiply(plan, layer, lora_group::gate_up, gate_up, memory_.normed, {rows, blocks}, gemm_into::store,
           gate_y, stride, member);
  multiply(plan, layer, lora_group::gate_up, gate_up, memory_.normed,
           {rows, {up + blocks.first, up + blocks.last}}, gemm_into::store, gate_y + columns, stride, member);
  auto& out = memory_.activated;
  auto* high = out.high_of(rows.first);
  auto* y = out.values.row(rows.first) + std::size_t{blocks.first} * block_outputs * out.values.element_size;
  kernels_.activation({gate_y, gate_y + columns, stride, rows.last - rows.first, columns,
                       wants_values(plan) ? y : nullptr, out.values.stride, model_->config().activation,
                       mode_.int8 ? out.groups_of(rows.first) + blocks.first : nullptr, out.groups.stride,
                       high ? high + std::size_t{blocks.first} * block_outputs : nullptr,
                       high ? high + padded_depth(model_->config().ffn) + blocks.first : nullptr,
                       out.high.stride});
}

void forward::feed_forward(const step_plan& plan, std::uint32_t layer, unsigned member) {
  auto& w = weights_->layers()[layer];
  norm_rows(plan, layer, lora_group::gate_up, w.ffn_norm, member);
  const auto all = plan.rows();
  const auto rows = std::min(all, strip_rows);
  const auto mine = share_of(w.gate_up.first_block[1], member, team_.active());
  const auto width = std::max<std::uint32_t>(
      1, static_cast<std::uint32_t>(memory_.strip.stride / (std::size_t{rows} * 2 * block_outputs)));
  for (auto block = mine.first; block < mine.last; block += width)
    for (std::uint32_t row = 0; row < all; row += rows)
      gate_strip(plan, layer, {row, std::min(row + rows, all)}, {block, std::min(block + width, mine.last)},
                 member);
  pass(step_phase::gate_up, member);
  add_branch(plan, layer, lora_group::down, w.down, memory_.activated, w.after_ffn, member);
}

void forward::add_branch(const step_plan& plan, std::uint32_t layer, lora_group group,
                         const packed_matrix& matrix, const linear_input& x, const float* norm,
                         unsigned member) {
  const auto& y = norm ? memory_.branch : memory_.residual;
  const auto into = norm ? gemm_into::store : gemm_into::add;
  const auto mine = share_of(plan.rows(), member, team_.active());
  if (plan.step().segments.empty()) {
    linear(plan, layer, group, matrix, x, into, y, member);
  } else if (rescales(plan, layer, group)) {
    shrink(plan, layer, group, x, mine);
    pass(step_phase::shrink, member);
    linear(plan, layer, group, matrix, x, into, y, member);
  } else {
    shrink(plan, layer, group, x, mine);
    if (profile_) profile_->worked(member, step_phase::shrink);
    base_linear(plan, layer, group, matrix, x, into, y, member);
    expand_rows(plan, layer, group, matrix, mine, y);
  }
  if (!norm) return;
  auto& m = model_->config();
  for (auto row = mine.first; row < mine.last; ++row)
    kernels_.norm_add({memory_.branch.floats(row), norm, m.hidden, padded_depth(m.hidden), m.norm_epsilon,
                       memory_.residual.row(row)});
  pass(step_phase::norm, member);
}

bool forward::rescales(const step_plan& plan, std::uint32_t layer, lora_group group) const noexcept {
  return std::ranges::any_of(plan.step().segments, [&](auto& s) {
    return plan.adapter(s.first_use).group(layer, group).rescales();
  });
}

void forward::base_linear(const step_plan& plan, std::uint32_t layer, lora_group group,
                          const packed_matrix& matrix, const linear_input& x, gemm_into into,
                          const row_buffer& y, unsigned member) {
  const auto rows = plan.rows();
  const auto mine = share_of(matrix.blocks, member, team_.active());
  memory_ahead ahead;
  ask_for_b(plan, layer, group, matrix, {share_of(rows, member, team_.active()), {0, matrix.blocks}}, ahead);
  ask_for_next_a(plan, layer, group, {0, 1}, 1, member, ahead);
  product(matrix, x, {0, rows}, mine, into, y.floats(0) + std::size_t{mine.first} * block_outputs, y.stride,
          &ahead);
  pass(phase_of(group), member);
}

void forward::linear(const step_plan& plan, std::uint32_t layer, lora_group group,
                     const packed_matrix& matrix, const linear_input& x, gemm_into into, const row_buffer& y,
                     unsigned member) {
  auto mine = share_of(matrix.blocks, member, team_.active());
  multiply(plan, layer, group, matrix, x, {{0, plan.rows()}, mine}, into,
           y.floats(0) + std::size_t{mine.first} * block_outputs, y.stride, member);
  pass(phase_of(group), member);
}

void forward::multiply(const step_plan& plan, std::uint32_t layer, lora_group group,
                       const packed_matrix& matrix, const linear_input& x, part_of_product part,
                       gemm_into into, float* y, std::size_t y_stride, unsigned member) {
  const auto [rows, blocks] = part;
  if (blocks.first == blocks.last) return;
  if (plan.step().segments.empty()) return product(matrix, x, rows, blocks, into, y, y_stride);
  const auto at = [&](std::uint32_t row) { return y + std::size_t{row - rows.first} * y_stride; };
  const auto rescales = [&](const segment& s) {
    return into == gemm_into::add && plan.adapter(s.first_use).group(layer, group).rescales();
  };
  auto next = rows.first;
  for (auto& whole : plan.step().segments) {
    const auto s = within(whole, rows);
    if (s.rows == 0 || !rescales(s)) continue;
    product(matrix, x, {next, s.first_row}, blocks, into, at(next), y_stride);
    rescaled(plan, layer, group, s, matrix, x, blocks, at(s.first_row), y_stride, member);
    next = s.first_row + s.rows;
  }
  memory_ahead ahead;
  ask_ahead(plan, layer, group, matrix, part, member, ahead);
  const auto taken = next == rows.first ? terms_of(plan, layer, group, matrix, part) : taken_terms();
  product(matrix, x, {next, rows.last}, blocks, into, at(next), y_stride, &ahead,
          std::span(taken.of).first(taken.count));
  if (taken.all) return;
  for (auto& whole : plan.step().segments) {
    const auto s = within(whole, rows);
    if (s.rows != 0 && !rescales(s)) expand(plan, layer, group, s, matrix, blocks, at(s.first_row), y_stride);
  }
}

void forward::product(const packed_matrix& matrix, const linear_input& x, share rows, share blocks,
                      gemm_into into, float* y, std::size_t y_stride, const memory_ahead* ahead,
                      std::span<const low_rank_term> terms) {
  if (rows.first == rows.last || blocks.first == blocks.last) return;
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
  a.high = x.high_from(rows.first);
  a.ahead = ahead;
  a.terms = terms;
  kernels_.gemm_for(matrix.format)(a);
}

}  // namespace lorica
