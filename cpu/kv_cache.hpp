#pragma once

#include <cstdint>
#include <span>

#include "cpu/attention.hpp"
#include "cpu/mapped_memory.hpp"
#include "cpu/mode.hpp"
#include "model/model_config.hpp"

namespace lorica {

/// `head_dim` rounded up to whole vectors.
constexpr std::uint32_t padded_head_dim(std::uint32_t head_dim) noexcept {
  return (head_dim + 15) / 16 * 16;
}

/// Bytes of one token's keys and values of one head.
constexpr std::size_t kv_head_bytes(std::uint32_t head_dim, cpu_mode mode) noexcept {
  const auto padded = padded_head_dim(head_dim);
  if (mode.int8_kv) return coded_key_bytes(padded) + coded_value_bytes(padded);
  return std::size_t{2} * padded * element_bytes(mode.dtype);
}

/// Bytes of keys and values that one token needs over all layers.
constexpr std::uint64_t kv_bytes_per_token(const model_config& m, cpu_mode mode) noexcept {
  return std::uint64_t{m.layers} * m.kv_heads * kv_head_bytes(m.head_dim, mode);
}

/// The pool of KV blocks: [blocks][layers][kv_heads][K, V]; one head of one block is what attention.hpp says.
/// Memory that was never used costs when it first is, so a step that begins a block finds all layers of it
/// together. Owned by the executor. What a block holds is undefined until its tokens were written.
class kv_cache {
 public:
  kv_cache() = default;

  /// Maps the pool. Fails with `errc::out_of_memory`.
  static result<kv_cache> allocate(const model_config& m, cpu_mode mode, std::uint32_t blocks,
                                   std::uint32_t block_tokens);

  /// Block 0 of a layer and head.
  std::byte* at(std::uint32_t layer, std::uint32_t head) const noexcept {
    return memory_.data() + layer * layer_stride_ + head * head_stride_;
  }
  /// Asks for the first `tokens_ahead` of what a head sees, so that they are near when they are read.
  void fetch(const seen_tokens& seen) const noexcept;

  /// Gives back the memory of blocks whose content nobody wants, as far as whole pages hold nothing else.
  /// `blocks` ascend.
  void give_back(std::span<const std::uint32_t> blocks) noexcept;

  std::size_t head_stride() const noexcept { return head_stride_; }
  std::size_t block_stride() const noexcept { return block_stride_; }
  std::uint64_t bytes() const noexcept { return memory_.size(); }

 private:
  mapped_memory memory_;
  std::size_t head_stride_ = 0;
  std::size_t block_stride_ = 0;
  std::size_t layer_stride_ = 0;
  std::uint32_t block_tokens_ = 0;
  std::uint32_t blocks_ = 0;
};

}  // namespace lorica
