#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "cpu/kernels.hpp"
#include "cpu/mapped_memory.hpp"
#include "cpu/packed_weights.hpp"
#include "cpu/thread_team.hpp"
#include "engine/lora_group.hpp"
#include "engine/packed_adapter.hpp"

namespace lorica {

/// B of one projection as packed blocks [out / 32][rank][32] (bfloat16: pairs; codes: lora_codes.hpp), added
/// to its part of the base. The parts of a fused module share their columns. With DoRA the rows of B are
/// multiplied by m / n.
struct packed_site {
  std::uint32_t part = 0;    ///< of the base's packed matrix
  std::uint32_t column = 0;  ///< of the group's low-rank inputs
  std::uint32_t rank = 0;    ///< even in bfloat16, a multiple of 4 in codes
  std::uint32_t codes = 0;   ///< of codes: the first of the group's `input_group`s
  std::uint32_t blocks = 0;
  const std::byte* b = nullptr;
  const float* offset = nullptr;  ///< [blocks * 32] scaling * `lora_B.bias`; null: none
  const float* gain = nullptr;    ///< [blocks * 32] m / n - 1 of DoRA; null: none

  /// Which of its blocks lie in blocks [of.first, of.last) of the base's matrix.
  share within(const packed_matrix& matrix, share of) const noexcept {
    const auto begin = matrix.first_block[part];
    const auto first = std::max(of.first, begin);
    const auto last = std::min(of.last, begin + blocks);
    return first < last ? share{first - begin, last - begin} : share{};
  }
};

/// What an adapter does to one group of one layer. `ranks` is zero where it does nothing.
struct packed_group {
  std::uint32_t ranks = 0;         ///< of all sites
  std::uint32_t depth = 0;         ///< inputs, padded
  std::uint32_t codes = 0;         ///< of codes: the `input_group`s of all sites
  const std::byte* a = nullptr;    ///< [ranks, depth] in the layout of lora.hpp or lora_codes.hpp
  const float* scales = nullptr;   ///< [ranks] of codes
  const float* scaling = nullptr;  ///< [ranks]
  std::uint32_t sites = 0;
  std::array<packed_site, 3> site;

  /// The site that begins a module at this part of the base's matrix; null: no module of the adapter does.
  const packed_site* module_at(std::uint32_t part) const noexcept {
    for (std::uint32_t i = 0; i < sites; ++i)
      if (site[i].part == part) return i != 0 && site[i - 1].column == site[i].column ? nullptr : &site[i];
    return nullptr;
  }

  /// Outputs of the base are changed by a factor (DoRA), so they are needed without what they are added to.
  bool rescales() const noexcept {
    return std::any_of(site.begin(), site.begin() + sites, [](auto& s) { return s.gain != nullptr; });
  }
};

/// What an adapter does to embeddings: x = (E_token + scaling * B A_token) * the model's scale.
struct packed_embedding {
  std::uint32_t rank = 0;        ///< 0: nothing; even in bfloat16
  const std::byte* a = nullptr;  ///< [vocab, rank]
  const std::byte* b = nullptr;  ///< blocks [hidden / 32][rank][32]
  float scaling = 0;
  const std::byte* table = nullptr;  ///< [vocab, hidden] in place of the base's E; null: that
};

/// An adapter in the layout of the CPU's kernels, at its true rank, in one mapping.
class cpu_packed_adapter final : public packed_adapter {
 public:
  const adapter_version& version() const noexcept override { return version_; }
  std::uint64_t bytes() const noexcept override { return memory_.size(); }
  std::vector<std::uint32_t> ranks() const override { return ranks_; }
  const merge_shape& shape() const noexcept override { return shape_; }
  bool stands_alone() const noexcept override {
    return embedding_.table || head_matrix_.data || head_.rescales() ||
           std::any_of(groups_.begin(), groups_.end(), [](auto& g) { return g.rescales(); });
  }

  const packed_group& group(std::uint32_t layer, lora_group which) const noexcept {
    if (which == lora_group::head) return head_;
    return groups_[std::size_t{layer} * lora_group_count + static_cast<std::size_t>(which)];
  }
  const packed_embedding& embedding() const noexcept { return embedding_; }

  /// The matrix in place of the base's head; without data where there is none.
  const packed_matrix& head_matrix() const noexcept { return head_matrix_; }

  /// The head answers otherwise than the base's.
  bool changes_head() const noexcept { return head_.ranks != 0 || head_matrix_.data; }

  std::uint32_t layers() const noexcept {
    return static_cast<std::uint32_t>(groups_.size() / lora_group_count);
  }
  cpu_dtype dtype() const noexcept { return dtype_; }

  /// A and B are codes of 8 bits, but for the embedding's.
  bool coded() const noexcept { return coded_; }

  /// The widest group: elements of low-rank input that one row needs.
  std::uint32_t widest() const noexcept;

 private:
  friend class cpu_adapter_packing;

  adapter_version version_;
  cpu_dtype dtype_ = cpu_dtype::float32;
  bool coded_ = false;
  std::vector<packed_group> groups_;  // [layers][groups]
  packed_group head_;
  packed_matrix head_matrix_;
  packed_embedding embedding_;
  std::vector<std::uint32_t> ranks_;
  merge_shape shape_;
  mapped_memory memory_;
};

}  // namespace lorica
