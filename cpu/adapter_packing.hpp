#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <stop_token>
#include <utility>
#include <vector>

#include "cpu/mode.hpp"
#include "cpu/packed_adapter.hpp"
#include "engine/adapter_packer.hpp"
#include "model/weights.hpp"

namespace lorica {

/// Hands out memory from front to back, every piece aligned for the kernels. Without memory it only counts.
class arena {
 public:
  static constexpr std::uint64_t alignment = 64;

  explicit arena(std::byte* begin = nullptr) noexcept : begin_(begin) {}
  std::byte* take(std::uint64_t bytes) noexcept {
    auto at = std::exchange(used_, used_ + (bytes + alignment - 1) / alignment * alignment);
    return begin_ ? begin_ + at : nullptr;
  }
  float* take_floats(std::uint64_t count) noexcept {
    return reinterpret_cast<float*>(take(count * sizeof(float)));
  }
  std::uint64_t used() const noexcept { return used_; }

 private:
  std::byte* begin_;
  std::uint64_t used_ = 0;
};

/// The full copies of an adapter that are not what the base has.
struct kept_copies {
  const module_copy* embed = nullptr;
  const module_copy* head = nullptr;
};

/// Lays one adapter out by the shapes of its sites, so that each can be put where it belongs as it comes.
class cpu_adapter_packing final : public adapter_packing {
 public:
  /// `base` and the copies outlive it; shapes and copies were checked against the base.
  cpu_adapter_packing(const model_weights& base, cpu_mode mode, std::span<const site_shape> sites,
                      kept_copies copies, std::stop_token stop);

  /// Bytes of memory that it takes.
  std::uint64_t bytes() const noexcept { return mapped_memory::rounded(bytes_); }

  /// Takes the memory and puts the copies there.
  result<void> begin();

  result<void> put(std::size_t number, const lora_site& site) override;
  result<std::shared_ptr<const packed_adapter>> finish(const adapter_version& version) override;

 private:
  /// Where a site goes: its columns of A, and from which of the group's sites on its parts are.
  struct place {
    packed_group* group = nullptr;  // null: the embeddings
    std::uint32_t column = 0;
    std::uint32_t first = 0;
  };

  void lay_out(arena& from);
  void lay_out_group(packed_group& group, std::span<const std::uint32_t> sites, arena& from);
  void lay_out_part(packed_group& group, const site_shape& s, projection part, arena& from) const;
  void lay_out_embedding(arena& from);
  std::uint32_t stored_rank(std::uint32_t rank) const noexcept;
  std::uint32_t plain_rank(std::uint32_t rank) const noexcept;
  std::uint64_t plain_b_bytes(std::uint32_t rank, std::uint32_t outputs) const noexcept;
  std::uint32_t outputs_of(projection part) const noexcept;
  std::byte* own(const void* place) const noexcept;
  float* own(const float* place) const noexcept;
  result<void> pack_pair(const lora_site& s, const place& to);
  void pack_a(const lora_site& s, const place& to) const;
  bool pack_b(const lora_site& s, std::uint32_t first, std::uint32_t outputs, std::span<const float> factors,
              bool coded, std::byte* out) const;
  result<void> pack_part(const lora_site& s, projection part, std::uint32_t first, const packed_site& to);
  result<void> pack_embedding(const lora_site& s);
  result<void> pack_table(const module_copy& copy);
  result<void> pack_head(const module_copy& copy);

  const model_weights& base_;
  const model_config& model_;
  cpu_mode mode_;
  cpu_dtype dtype_;  // of `mode_`
  std::vector<site_shape> shapes_;
  kept_copies copies_;
  std::stop_token stop_;
  std::uint64_t bytes_ = 0;
  std::shared_ptr<cpu_packed_adapter> out_;
  std::vector<place> places_;      // of the sites
  std::vector<std::uint8_t> put_;  // sites that are where they belong; written by whoever puts them
};

}  // namespace lorica
