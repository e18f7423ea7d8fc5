#include "cpu/kv_cache.hpp"

#include <utility>

#include "core/checked.hpp"

namespace lorica {

result<kv_cache> kv_cache::allocate(const model_config& m, cpu_dtype dtype, std::uint32_t blocks,
                                    std::uint32_t block_tokens) {
  auto bytes = checked_mul(kv_bytes_per_token(m, dtype), std::uint64_t{blocks} * block_tokens);
  if (!bytes) return fail(errc::out_of_memory, "the KV cache has too many blocks to be counted in bytes");
  auto memory = mapped_memory::allocate(*bytes, "the KV cache");
  if (!memory) return std::move(memory).error();
  kv_cache out;
  out.memory_ = *std::move(memory);
  out.head_stride_ = std::size_t{2} * block_tokens * padded_head_dim(m.head_dim) * element_bytes(dtype);
  out.layer_stride_ = out.head_stride_ * m.kv_heads;
  out.block_stride_ = out.layer_stride_ * m.layers;
  return out;
}

}  // namespace lorica
