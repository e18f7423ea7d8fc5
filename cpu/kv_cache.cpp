#include "cpu/kv_cache.hpp"

#include <algorithm>
#include <utility>

#include "core/checked.hpp"

namespace lorica {

result<kv_cache> kv_cache::allocate(const model_config& m, cpu_mode mode, std::uint32_t blocks,
                                    std::uint32_t block_tokens) {
  auto bytes = checked_mul(kv_bytes_per_token(m, mode), std::uint64_t{blocks} * block_tokens);
  if (!bytes) return fail(errc::out_of_memory, "the KV cache has too many blocks to be counted in bytes");
  auto memory = mapped_memory::allocate(*bytes, "the KV cache");
  if (!memory) return std::move(memory).error();
  kv_cache out;
  out.memory_ = *std::move(memory);
  out.head_stride_ = std::size_t{block_tokens} * kv_head_bytes(m.head_dim, mode);
  out.layer_stride_ = out.head_stride_ * m.kv_heads;
  out.block_stride_ = out.layer_stride_ * m.layers;
  out.block_tokens_ = block_tokens;
  out.blocks_ = blocks;
  return out;
}

void kv_cache::give_back(std::span<const std::uint32_t> blocks) noexcept {
  for (std::size_t first = 0, next = 0; first < blocks.size(); first = next) {
    for (next = first + 1; next < blocks.size() && blocks[next] == blocks[next - 1] + 1;)
      ++next;
    // Behind the last block the mapping has nothing else.
    const auto end = blocks[next - 1] + std::uint64_t{1};
    memory_.give_back(blocks[first] * std::uint64_t{block_stride_},
                      end == blocks_ ? memory_.size() : end * block_stride_);
  }
}

void kv_cache::fetch(const seen_tokens& seen) const noexcept {
  const auto last = std::min(seen.first + tokens_ahead, seen.tokens);
  for (auto block = seen.first / block_tokens_; block * block_tokens_ < last; ++block)
    for (std::size_t line = 0; line < head_stride_; line += 64)
      __builtin_prefetch(seen.cache + seen.blocks[block] * block_stride_ + line);
}

}  // namespace lorica
