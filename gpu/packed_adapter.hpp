#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "engine/packed_adapter.hpp"
#include "gpu/adapter_table.hpp"
#include "gpu/pinned_pool.hpp"

namespace lorica::gpu {

/// A matrix in place of the base's head: bfloat16 [vocab, hidden], as `gemm` takes weights.
struct packed_head {
  const bfloat* weights = nullptr;  ///< null: none
};

/// One piece of an adapter: what arrives on the device together, and lies there together.
struct adapter_piece {
  std::uint64_t offset = 0;  ///< in the adapter's bytes
  std::uint64_t bytes = 0;
};

/// An adapter in the layout of the kernels, at its true rank, in one stretch of pinned host memory. Its
/// tables hold host addresses; `adapter_slots` puts those of the device in their place.
///
/// Pieces follow each other as a step reads them: embeddings, every layer, the head; empty where the adapter
/// does nothing.
class gpu_packed_adapter final : public packed_adapter {
 public:
  const adapter_version& version() const noexcept override { return version_; }
  /// What it takes on the device: its numbers in size classes and pages of 64 KiB, up to a quarter more where
  /// it is small.
  std::uint64_t bytes() const noexcept override { return bytes_; }
  std::vector<std::uint32_t> ranks() const override { return ranks_; }
  const merge_shape& shape() const noexcept override { return shape_; }
  double seconds_to_come() const noexcept override;
  bool stands_alone() const noexcept override;

  /// In the order of `group_index`.
  const std::vector<adapter_group>& groups() const noexcept { return groups_; }
  const adapter_embedding& embedding() const noexcept { return embedding_; }
  packed_head head_matrix() const noexcept { return head_; }
  bool changes_head() const noexcept { return head_.weights || groups_.back().ranks != 0; }
  bool changes_embedding() const noexcept { return embedding_.rank != 0 || embedding_.table; }

  std::uint32_t layers() const noexcept {
    return static_cast<std::uint32_t>((groups_.size() - 1) / lora_group_count);
  }

  /// Most ranks in a group: what one row needs of low-rank inputs.
  std::uint32_t widest() const noexcept;

  /// [layers + 2]: embeddings, layers, head.
  const std::vector<adapter_piece>& pieces() const noexcept { return pieces_; }
  const std::byte* data() const noexcept { return memory_.data(); }

  /// Of all pieces: what crosses the bus.
  std::uint64_t copied_bytes() const noexcept;

  /// By the slots that copy it: all of it will be on the device in so many seconds; 0: it is there.
  void expect_in(double seconds) const noexcept;

 private:
  friend class gpu_adapter_packing;

  adapter_version version_;
  std::vector<adapter_group> groups_;
  adapter_embedding embedding_;
  packed_head head_;
  std::vector<adapter_piece> pieces_;
  std::vector<std::uint32_t> ranks_;
  merge_shape shape_;
  std::uint64_t bytes_ = 0;
  pinned_pool::piece memory_;                     // none: no bytes
  mutable std::atomic<std::int64_t> arrives_{0};  // nanoseconds of the steady clock
};

}  // namespace lorica::gpu
