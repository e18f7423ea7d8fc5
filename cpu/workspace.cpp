#include "cpu/workspace.hpp"

#include <algorithm>
#include <array>
#include <span>
#include <utility>
#include <vector>

#include "cpu/kv_cache.hpp"
#include "cpu/packed_weights.hpp"

namespace lorica {
namespace {

constexpr std::size_t alignment = 128;
constexpr std::uint32_t least_strip = 1 << 15;  // elements: 128 KiB, so that few rows need one strip

/// Each sequence has its row in most steps; a prompt whose log-probabilities are told has many.
std::uint32_t most_head_rows(const executor_limits& limits) noexcept {
  constexpr std::uint32_t prompt_rows = 64;
  return std::min(std::max(limits.max_sequences, prompt_rows), limits.max_rows);
}

/// One buffer to be placed in the common mapping.
struct wanted {
  row_buffer* buffer;
  std::uint32_t rows;
  std::size_t stride;
  std::uint32_t element_size;

  std::uint64_t bytes() const noexcept {
    auto whole = std::uint64_t{rows} * stride * element_size;
    return (whole + alignment - 1) / alignment * alignment;
  }
};

void place(std::span<const wanted> all, std::byte* next) noexcept {
  for (auto& w : all) {
    *w.buffer = {w.rows != 0 ? next : nullptr, w.stride, w.element_size};
    next += w.bytes();
  }
}

/// Strides that are powers of two would put all rows of a tile into one set of the cache.
std::size_t stride_for(std::uint32_t width) noexcept {
  return std::size_t{padded_depth(width)} + depth_multiple;
}

/// Groups of one row.
std::size_t groups_for(std::uint32_t width) noexcept {
  return padded_depth(width) / depth_multiple + 1;
}

/// High codes and marks of one row, in whole lines of the cache.
std::size_t high_bytes(std::uint32_t width) noexcept {
  constexpr std::size_t line = 64;
  const std::size_t depth = padded_depth(width);
  return (depth + depth / depth_multiple + line - 1) / line * line;
}

bool may_be_marked(std::uint32_t width) noexcept {
  return padded_depth(width) / depth_multiple <= most_marked_groups;
}

}  // namespace

result<workspace> workspace::allocate(const model_config& m, const executor_limits& limits, cpu_mode mode,
                                      unsigned members, std::uint64_t logits_bytes) {
  workspace out;
  const auto vocab = std::size_t{blocks_for(m.vocab)} * block_outputs;
  out.head_rows = static_cast<std::uint32_t>(
      std::clamp<std::uint64_t>(logits_bytes / (vocab * sizeof(float)), 1, most_head_rows(limits)));
  const auto element = element_bytes(mode.dtype);
  const auto rows = limits.max_rows;
  const auto coded = mode.int8 ? rows : 0;
  const bool marked = may_be_marked(m.hidden);
  const auto head = padded_head_dim(m.head_dim);
  const auto qkv_width =
      (blocks_for(m.heads * m.head_dim) + 2 * blocks_for(m.kv_heads * m.head_dim)) * block_outputs;
  std::vector<wanted> all = {
      {&out.residual, rows, stride_for(m.hidden), sizeof(float)},
      {&out.normed.values, rows, stride_for(m.hidden), element},
      {&out.normed.groups, coded, groups_for(m.hidden), sizeof(input_group)},
      {&out.normed.high, marked ? coded : 0, high_bytes(m.hidden), 1},
      {&out.qkv, rows, stride_for(qkv_width), sizeof(float)},
      {&out.query, rows, m.heads * std::size_t{mode.int8_kv ? head_groups(head) : head},
       mode.int8_kv ? std::uint32_t{sizeof(input_group)} : element},
      {&out.attended.values, rows, stride_for(m.heads * m.head_dim), element},
      {&out.attended.groups, coded, groups_for(m.heads * m.head_dim), sizeof(input_group)},
      {&out.activated.values, rows, stride_for(m.ffn), element},
      {&out.activated.groups, coded, groups_for(m.ffn), sizeof(input_group)},
      {&out.activated.high, may_be_marked(m.ffn) ? coded : 0, high_bytes(m.ffn), 1},
      {&out.branch, m.branch_norms ? rows : 0, stride_for(m.hidden), sizeof(float)},
      {&out.cos, rows, m.rotary_dim / 2, sizeof(float)},
      {&out.sin, rows, m.rotary_dim / 2, sizeof(float)},
      {&out.strip, members, std::max<std::size_t>(least_strip, std::size_t{rows} * 2 * block_outputs),
       sizeof(float)},
      // Last: a step seldom touches all of their rows.
      {&out.head_input.values, out.head_rows, stride_for(m.hidden), element},
      {&out.head_input.groups, mode.int8 ? out.head_rows : 0, groups_for(m.hidden), sizeof(input_group)},
      {&out.head_input.high, marked && mode.int8 ? out.head_rows : 0, high_bytes(m.hidden), 1},
      {&out.logits, out.head_rows, vocab, sizeof(float)},
      {&out.pieces, out.head_rows, (m.vocab + summary_logits - 1) / summary_logits, sizeof(logit_piece)},
  };
  std::uint64_t bytes = 0;
  for (auto& w : all)
    bytes += w.bytes();
  auto memory = mapped_memory::allocate(bytes, "the rows of a step (max_rows)");
  if (!memory) return std::move(memory).error();
  out.memory_ = *std::move(memory);
  place(all, out.memory_.data());
  out.low_rank.element_size = element;
  return out;
}

result<void> workspace::reserve_low_rank(std::uint32_t width, std::uint32_t rows, cpu_mode mode) {
  if (width + rank_lanes <= low_rank.stride) return {};  // kernels write whole vectors
  const auto coded = mode.int8_adapters ? rows : 0;
  row_buffer values, sums, codes;
  // A site has at least four ranks where they are codes, and begins a group of them.
  const std::array<wanted, 3> all = {
      {{&values, rows, stride_for(width), low_rank.element_size},
       {&sums, coded, stride_for(width), sizeof(float)},
       {&codes, coded, stride_for(width) / rank_multiple + 1, sizeof(input_group)}}};
  std::uint64_t bytes = 0;
  for (auto& w : all)
    bytes += w.bytes();
  auto memory = mapped_memory::allocate(bytes, "the low-rank inputs of an adapter");
  if (!memory) return std::move(memory).error();
  low_rank_memory_ = *std::move(memory);
  place(all, low_rank_memory_.data());
  low_rank = values;
  low_rank_sums = sums;
  low_rank_codes = codes;
  return {};
}

}  // namespace lorica
