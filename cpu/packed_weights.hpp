#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "core/error.hpp"
#include "cpu/kernels.hpp"
#include "cpu/mapped_memory.hpp"
#include "cpu/thread_team.hpp"
#include "model/weights.hpp"

namespace lorica {

/// `depth` rounded up to what packed operands have.
constexpr std::uint32_t padded_depth(std::uint32_t depth) noexcept {
  return (depth + depth_multiple - 1) / depth_multiple * depth_multiple;
}

/// Blocks that `outputs` take.
constexpr std::uint32_t blocks_for(std::uint32_t outputs) noexcept {
  return (outputs + block_outputs - 1) / block_outputs;
}

/// Writes one block of 32 outputs in the layout of `gemm_args`. `rows` are the outputs' weights, float32
/// [cols], null for a row of zeros; `depth` >= cols is the depth of the packed matrix.
void pack_block(cpu_dtype dtype, const float* const (&rows)[block_outputs], std::uint32_t cols,
                std::uint32_t depth, std::byte* out) noexcept;

/// One or more weight matrices with equal inputs, packed side by side: each begins at a block of its own.
struct packed_matrix {
  static constexpr std::uint32_t most_parts = 3;

  const std::byte* data = nullptr;
  const float* bias = nullptr;  ///< [blocks * 32] or null
  std::uint32_t depth = 0;      ///< inputs, padded
  std::uint32_t blocks = 0;
  std::uint32_t first_block[most_parts] = {};  ///< of each part

  /// Bytes of one block.
  std::uint64_t block_bytes(cpu_dtype dtype) const noexcept {
    return std::uint64_t{depth} * block_outputs * element_bytes(dtype);
  }
};

/// A transformer layer, packed.
struct packed_layer {
  packed_matrix qkv;                 ///< parts q, k, v
  packed_matrix o;                   ///< one part
  packed_matrix gate_up;             ///< parts gate, up
  packed_matrix down;                ///< one part
  const float* attn_norm = nullptr;  ///< [padded hidden]
  const float* ffn_norm = nullptr;
  const float* after_attention = nullptr;  ///< [padded hidden]; null where the model has none
  const float* after_ffn = nullptr;
  const float* q_norm = nullptr;  ///< [padded head_dim]; null where the model has none
  const float* k_norm = nullptr;
};

/// Told the bytes packed so far and in all; called on the thread that packs.
using packing_progress = std::function<void(std::uint64_t done, std::uint64_t all)>;

/// The base model in the layout of the kernels, in one mapping. Immutable once packed. The embedding is read
/// from the file; the head is packed.
class packed_weights {
 public:
  static result<std::unique_ptr<const packed_weights>> pack(const model_weights& model, cpu_dtype dtype,
                                                            thread_team& team,
                                                            const packing_progress& progress);

  const std::vector<packed_layer>& layers() const noexcept { return layers_; }
  const packed_matrix& head() const noexcept { return head_; }
  const float* final_norm() const noexcept { return final_norm_; }
  std::uint64_t bytes() const noexcept { return memory_.size(); }

 private:
  friend class weight_packer;
  packed_weights() = default;

  mapped_memory memory_;
  std::vector<packed_layer> layers_;
  packed_matrix head_;
  const float* final_norm_ = nullptr;
};

}  // namespace lorica
