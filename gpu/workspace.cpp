#include "gpu/workspace.hpp"

#include "gpu/kv_cache.hpp"

namespace lorica::gpu {

/// Gives out one piece after the other, or only counts where there is no memory.
class workspace::cursor {
 public:
  explicit cursor(std::byte* base) noexcept : base_(base) {}

  template <class T>
  T* take(std::uint64_t count) noexcept {
    auto* at = base_ ? reinterpret_cast<T*>(base_ + used_) : nullptr;
    used_ += arena::charged(count * sizeof(T));
    return at;
  }

  template <class T>
  row_buffer<T> rows(std::uint64_t count, std::uint64_t width) noexcept {
    constexpr std::uint64_t multiple = 16 / sizeof(T);
    const auto stride = (width + multiple - 1) / multiple * multiple;
    return {take<T>(count * stride), stride};
  }

  std::uint64_t used() const noexcept { return used_; }

 private:
  std::byte* base_;
  std::uint64_t used_ = 0;
};

std::uint64_t workspace::lay_out(std::byte* base, const model_config& m, const workspace_sizes& sizes) {
  cursor c(base);
  const auto rows = sizes.rows;
  residual = c.rows<float>(rows, m.hidden);
  kept = c.rows<float>(rows, m.hidden);
  normed = c.rows<bfloat>(rows, m.hidden);
  qkv = c.rows<bfloat>(rows, (std::uint64_t{m.heads} + 2 * m.kv_heads) * m.head_dim);
  query = c.rows<bfloat>(rows, std::uint64_t{m.heads} * padded_head_dim(m.head_dim));
  attended = c.rows<bfloat>(rows, std::uint64_t{m.heads} * m.head_dim);
  kept_attended = c.rows<bfloat>(rows, std::uint64_t{m.heads} * m.head_dim);
  branch = c.rows<bfloat>(rows, m.hidden);
  gate_up = c.rows<bfloat>(rows, std::uint64_t{2} * m.ffn);
  activated = c.rows<bfloat>(rows, m.ffn);
  cos = {c.take<float>(std::uint64_t{rows} * (m.rotary_dim / 2)), m.rotary_dim / 2};
  sin = {c.take<float>(std::uint64_t{rows} * (m.rotary_dim / 2)), m.rotary_dim / 2};
  if (sizes.code_width != 0) {
    codes = c.rows<e4m3>(rows, sizes.code_width);
    code_scales = c.take<float>(rows);
  }
  logits = c.rows<float>(sizes.logits_rows, m.vocab);
  low_rank = c.take<float>(sizes.low_rank);
  partials = c.take<float>(sizes.partials);
  partial_rows = sizes.partial_rows;
  frequencies = c.take<float>(m.rotary_dim / 2);
  return c.used();
}

std::uint64_t workspace::bytes(const model_config& m, const workspace_sizes& sizes) {
  workspace counted;
  return counted.lay_out(nullptr, m, sizes);
}

result<workspace> workspace::allocate(arena& memory, const model_config& m, const workspace_sizes& sizes,
                                      const stream& s) {
  const auto size = bytes(m, sizes);
  auto at = memory.take(memory_part::workspace, "rows of a step", size);
  if (!at) return at.error();
  if (auto ok = s.fill(*at, std::byte{0}, size); !ok) return ok.error();
  workspace out;
  out.lay_out(*at, m, sizes);
  return out;
}

}  // namespace lorica::gpu
