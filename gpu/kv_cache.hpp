#pragma once

#include <cstdint>

#include "core/error.hpp"
#include "gpu/arena.hpp"
#include "gpu/step_tables.hpp"
#include "gpu/stream.hpp"
#include "model/model_config.hpp"

namespace lorica::gpu {

/// `head_dim` as it lies in the cache.
constexpr std::uint32_t padded_head_dim(std::uint32_t head_dim) noexcept {
  return (head_dim + 15) / 16 * 16;
}

/// Bytes of keys and values that one token needs over all layers.
constexpr std::uint64_t kv_bytes_per_token(const model_config& m) noexcept {
  return std::uint64_t{m.layers} * m.kv_heads * 2 * padded_head_dim(m.head_dim) * sizeof(bfloat);
}

/// The pool of KV blocks on the device: [layers] of what `kv_layer` says, with one block more than are given
/// out, for idle rows. What a block holds is undefined until its tokens were written, but always a number.
class kv_cache {
 public:
  /// Takes the pool (`memory_part::kv`). `block_tokens` is a multiple of 16.
  static result<kv_cache> allocate(arena& memory, const model_config& m, std::uint32_t blocks,
                                   std::uint32_t block_tokens, const stream& s);

  /// Bytes of the arena that `allocate` takes.
  static std::uint64_t bytes(const model_config& m, std::uint32_t blocks,
                             std::uint32_t block_tokens) noexcept {
    return arena::charged(kv_bytes_per_token(m) * block_tokens * (std::uint64_t{blocks} + 1));
  }

  kv_layer layer(std::uint32_t number) const noexcept {
    auto out = first_;
    out.data += number * layer_stride_;
    return out;
  }

 private:
  kv_layer first_;
  std::size_t layer_stride_ = 0;  // elements
};

}  // namespace lorica::gpu
