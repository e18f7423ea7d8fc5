#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "core/error.hpp"
#include "cpu/kernels.hpp"
#include "cpu/mapped_memory.hpp"
#include "cpu/mode.hpp"
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
  weight_format format = weight_format::float32;
  const float* bias = nullptr;  ///< [blocks * 32] or null
  std::uint32_t depth = 0;      ///< inputs, padded
  std::uint32_t blocks = 0;
  std::uint32_t first_block[most_parts] = {};  ///< of each part

  /// Bytes of one block.
  std::uint64_t block_bytes() const noexcept {
    return std::uint64_t{depth / depth_multiple} * group_bytes(format);
  }

  /// Weights of one output, as products see them.
  void read_output(std::uint32_t output, std::span<float> out) const noexcept;
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

/// The layout of the bytes of `packed_weights`, for files that outlive the program. To be raised with every
/// change of what a byte of them means or how it is computed: formats, order, alignment, rounding.
inline constexpr std::uint32_t packed_layout_version = 2;

/// Told the bytes packed so far and in all; called on the thread that packs.
using packing_progress = std::function<void(std::uint64_t done, std::uint64_t all)>;

/// Fills the bytes of packed weights, zero before, with what an earlier run packed.
using packed_reader = std::function<result<void>(std::span<std::byte> bytes)>;

/// The base model in the layout of the kernels, in one mapping. Immutable once packed. Matrices that share an
/// input share a format: their own where they have the same, else q8_0. A tied embedding is read from the
/// head, another one from the file.
class packed_weights {
 public:
  static result<std::unique_ptr<const packed_weights>> pack(const model_weights& model, cpu_mode mode,
                                                            thread_team& team,
                                                            const packing_progress& progress);

  /// The same with bytes that `read` brings instead of packing them. The layout is made anew from the model,
  /// whose bytes are not read. Fails with what `read` said.
  static result<std::unique_ptr<const packed_weights>> read(const model_weights& model, cpu_mode mode,
                                                            const packed_reader& read);

  const std::vector<packed_layer>& layers() const noexcept { return layers_; }
  const packed_matrix& head() const noexcept { return head_; }
  /// The head where it is the embedding too, else null.
  const packed_matrix* tied_embedding() const noexcept { return tied_ ? &head_ : nullptr; }
  const float* final_norm() const noexcept { return final_norm_; }
  std::uint64_t bytes() const noexcept { return memory_.size(); }
  /// Everything the pointers lead to.
  std::span<const std::byte> contents() const noexcept { return {memory_.data(), contents_bytes_}; }

 private:
  friend class weight_packer;
  packed_weights() = default;

  mapped_memory memory_;
  std::size_t contents_bytes_ = 0;
  std::vector<packed_layer> layers_;
  packed_matrix head_;
  bool tied_ = false;
  const float* final_norm_ = nullptr;
};

}  // namespace lorica
