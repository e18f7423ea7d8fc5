// Rotation, the KV cache and attention of a layer.

#include "cpu/forward.hpp"

#include <algorithm>

namespace lorica {

void forward::rope_rows(const step_plan& plan, std::uint32_t layer, unsigned member) {
  const auto first = plan.attention_begin(member);
  if (first < plan.attention_begin(member + 1)) cache_.fetch(seen_by(plan, layer, first));
  auto& m = model_->config();
  auto& w = weights_->layers()[layer];
  auto& qkv = w.qkv;
  auto mine = share_of(plan.rows(), member, team_.active());
  const auto rope = mode_.int8_kv ? kernels_.rope_codes : kernels_.rope;
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
    auto* x = memory_.qkv.floats(row);
    a.query = x;
    a.key = x + std::size_t{qkv.first_block[1]} * block_outputs;
    a.value = x + std::size_t{qkv.first_block[2]} * block_outputs;
    a.cos = memory_.cos.floats(row);
    a.sin = memory_.sin.floats(row);
    a.q = memory_.query.row(row);
    auto position = plan.position(row);
    a.cache = cache_.at(layer, 0) + plan.blocks(row)[position / block_tokens_] * cache_.block_stride();
    a.token = position % block_tokens_;
    rope(a);
  }
  pass(step_phase::rope, member);
}

seen_tokens forward::seen_by(const step_plan& plan, std::uint32_t layer, attention_item item) const {
  auto& m = model_->config();
  const auto window = m.window(layer);
  const auto tokens = plan.position(item.row) + 1;
  return {cache_.at(layer, item.head / (m.heads / m.kv_heads)), plan.blocks(item.row),
          window != 0 && tokens > window ? tokens - window : 0, tokens};
}

/// Whole rows of one sequence go together, so that K and V are read once for all of them.
void forward::attend(const step_plan& plan, std::uint32_t layer, unsigned member) {
  constexpr std::uint32_t most_rows = 4;
  auto& m = model_->config();
  const auto heads = m.heads / m.kv_heads;
  auto at = plan.attention_begin(member);
  const auto end = plan.attention_begin(member + 1);
  while (at < end) {
    const auto last_head = at.row == end.row ? end.head : m.heads;
    std::uint32_t rows = 1;
    while (at.head == 0 && rows < most_rows && at.row + rows < end.row &&
           !plan.begins_sequence(at.row + rows))
      ++rows;
    const attention_item behind{at.row + rows, 0};
    while (at.head < last_head) {
      const auto head = std::min((at.head / heads + 1) * heads, last_head);
      const auto next = head == last_head ? behind : attention_item{at.row, head};
      attend(plan, layer, at, {at.row + rows, head},
             next < end && plan.begins_sequence(next.row) ? seen_by(plan, layer, next) : seen_tokens{});
      at.head = head;
    }
    at = behind;
  }
  pass(step_phase::attention, member);
  if (!mode_.int8 || quantises_heads()) return;
  auto mine = share_of(plan.rows(), member, team_.active());
  for (auto row = mine.first; row < mine.last; ++row)
    quantise_attended(row, 0, padded_depth(m.heads * m.head_dim));
  pass(step_phase::attention, member);
}

void forward::attend(const step_plan& plan, std::uint32_t layer, attention_item from, attention_item to,
                     const seen_tokens& next) {
  auto& m = model_->config();
  const auto element = element_bytes(dtype_);
  attention_args a;
  a.rows = to.row - from.row;
  a.heads = to.head - from.head;
  a.head_dim = m.head_dim;
  a.padded_dim = padded_head_dim(m.head_dim);
  auto& query = memory_.query;
  a.q = query.row(from.row) + from.head * (query.stride / m.heads) * query.element_size;
  a.q_stride = query.stride;
  a.seen = seen_by(plan, layer, from);
  a.seen.tokens += a.rows - 1;
  a.window = m.window(layer);
  a.next = next;
  a.cold = plan.begins_sequence(from.row);
  a.block_stride = cache_.block_stride();
  a.block_tokens = block_tokens_;
  a.scale = m.attention_scale;
  a.softcap = m.attention_softcap;
  a.y = memory_.attended.values.row(from.row) + std::size_t{from.head} * m.head_dim * element;
  a.y_stride = memory_.attended.values.stride;
  (mode_.int8_kv ? kernels_.attention_codes : kernels_.attention)(a);
  for (auto row = from.row; row < to.row && mode_.int8 && quantises_heads(); ++row)
    quantise_attended(row, from.head * m.head_dim, a.heads * m.head_dim);
}

/// What attention gives for a head is whole groups of codes.
bool forward::quantises_heads() const noexcept {
  return model_->config().head_dim % depth_multiple == 0;
}

/// Elements [first, first + width) of what attention gave a row, whole groups.
void forward::quantise_attended(std::uint32_t row, std::uint32_t first, std::uint32_t width) {
  kernels_.quantise({memory_.attended.values.row(row) + std::size_t{first} * element_bytes(dtype_), width,
                     memory_.attended.groups_of(row) + first / depth_multiple});
}

}  // namespace lorica
