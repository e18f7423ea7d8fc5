#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "cpu/kernels.hpp"
#include "cpu/mapping.hpp"
#include "engine/adapter_packer.hpp"

namespace lorica {

/// Projections that read one input: q, k, v share a pass over it, and so do gate and up.
enum class lora_input : std::uint8_t { qkv, o, gate_up, down };
inline constexpr std::uint32_t lora_inputs = 4;

/// One site inside a packed adapter.
struct packed_site {
  std::uint32_t rank = 0;
  std::uint32_t first_rank = 0;  ///< row of the group's stacked A where this site begins
  std::uint32_t column = 0;      ///< first column of the group's output that it adds to
  std::uint32_t out = 0;
  float scaling = 0;
  const void* b = nullptr;  ///< packed [out/16][rank][16]
};

/// The sites of one layer and input: A stacked [sum of ranks, in], so that one pass over x serves all.
struct packed_group {
  std::uint32_t ranks = 0;  ///< 0: nothing adapted here
  const void* a = nullptr;
  std::vector<packed_site> sites;
};

/// An adapter as the CPU reads it: true ranks, one mapping of its own.
class cpu_packed_adapter final : public packed_adapter {
 public:
  const adapter_version& version() const noexcept override { return version_; }
  std::uint64_t bytes() const noexcept override { return memory_.size(); }
  std::vector<std::uint32_t> ranks() const override { return ranks_; }

  cpu_dtype type() const noexcept { return type_; }
  std::uint32_t layers() const noexcept { return static_cast<std::uint32_t>(groups_.size()); }
  std::uint32_t most_ranks() const noexcept { return most_ranks_; }  ///< of one group
  const packed_group& group(std::uint32_t layer, lora_input input) const {
    return groups_[layer][static_cast<std::uint8_t>(input)];
  }

 private:
  friend class cpu_adapter_packer;
  adapter_version version_;
  cpu_dtype type_ = cpu_dtype::float32;
  std::uint32_t most_ranks_ = 0;
  std::vector<std::array<packed_group, lora_inputs>> groups_;
  std::vector<std::uint32_t> ranks_;
  mapping memory_;
};

/// Packs for one model in one storage type.
class cpu_adapter_packer final : public adapter_packer {
 public:
  /// Widths of the projections, which place q, k, v and gate, up side by side.
  struct shape {
    std::uint32_t layers = 0;
    std::array<std::uint32_t, 7> in{};
    std::array<std::uint32_t, 7> out{};
  };
  cpu_adapter_packer(const shape& s, cpu_dtype type) : shape_(s), type_(type) {}

  result<std::shared_ptr<const packed_adapter>> pack(const adapter_weights& weights,
                                                     std::stop_token stop) const override;
  std::uint64_t packed_bytes(const adapter_weights& weights) const override;

 private:
  result<void> check(const adapter_weights& weights) const;

  shape shape_;
  cpu_dtype type_;
};

}  // namespace lorica
