#include "gpu/kv_cache.hpp"

namespace lorica::gpu {

result<kv_cache> kv_cache::allocate(arena& memory, const model_config& m, std::uint32_t blocks,
                                    std::uint32_t block_tokens, const stream& s) {
  const auto pool = bytes(m, blocks, block_tokens);
  auto at = memory.take(memory_part::kv, "keys and values", pool);
  if (!at) return at.error();
  // Kernels multiply what they do not look at with zero.
  if (auto ok = s.fill(*at, std::byte{0}, pool); !ok) return ok.error();
  kv_cache out;
  auto& k = out.first_;
  k.data = reinterpret_cast<bfloat*>(*at);
  k.block_tokens = block_tokens;
  k.padded_dim = padded_head_dim(m.head_dim);
  k.value_offset = std::size_t{block_tokens} * k.padded_dim;
  k.head_stride = 2 * k.value_offset;
  k.block_stride = m.kv_heads * k.head_stride;
  out.layer_stride_ = (std::size_t{blocks} + 1) * k.block_stride;
  return out;
}

}  // namespace lorica::gpu
