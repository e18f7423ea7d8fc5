#pragma once

#include <cstdint>
#include <span>

#include "core/error.hpp"
#include "cpu/kernels.hpp"
#include "cpu/mapping.hpp"
#include "model/model_config.hpp"

namespace lorica {

/// The KV pages of all layers: [layer][block][kv_head][K, V][token][head_dim]. Owned by the executor.
class kv_pool {
 public:
  static result<kv_pool> make(const model_config& model, cpu_dtype type, std::uint32_t blocks,
                              std::uint32_t block_tokens);

  std::uint64_t bytes() const noexcept { return memory_.size(); }
  std::size_t page_bytes() const noexcept { return page_bytes_; }  ///< one block of one layer, all heads
  std::size_t v_offset() const noexcept { return v_offset_; }

  /// First page of a layer and KV head.
  const std::byte* pages(std::uint32_t layer, std::uint32_t kv_head) const noexcept {
    return memory_.data() + layer * layer_bytes_ + kv_head * 2 * v_offset_;
  }

  /// Stores K and V, each [kv_heads][head_dim], of one token.
  void write(std::uint32_t layer, std::uint32_t block, std::uint32_t token, std::span<const float> k,
             std::span<const float> v) noexcept;

 private:
  mapping memory_;
  cpu_dtype type_ = cpu_dtype::float32;
  std::uint32_t head_dim_ = 0;
  std::size_t v_offset_ = 0;
  std::size_t page_bytes_ = 0;
  std::size_t layer_bytes_ = 0;
};

}  // namespace lorica
