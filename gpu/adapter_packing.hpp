#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <stop_token>
#include <vector>

#include "engine/adapter_packer.hpp"
#include "gpu/packed_adapter.hpp"
#include "model/weights.hpp"

namespace lorica::gpu {

/// Hands out the bytes of a packed adapter from front to back, piece by piece. Without memory it only counts.
class adapter_layout {
 public:
  static constexpr std::uint64_t alignment = 128;        ///< of a matrix or a vector
  static constexpr std::uint64_t piece_alignment = 256;  ///< of a piece

  explicit adapter_layout(std::byte* begin = nullptr) noexcept : begin_(begin) {}

  /// Ends the piece before, if there is one.
  void begin_piece();
  void end_pieces();

  bfloat* take_matrix(std::uint64_t rows, std::uint64_t stride) noexcept {
    return reinterpret_cast<bfloat*>(take(rows * stride * sizeof(bfloat)));
  }
  float* take_vector(std::uint64_t count) noexcept {
    return reinterpret_cast<float*>(take(count * sizeof(float)));
  }

  const std::vector<adapter_piece>& pieces() const noexcept { return pieces_; }
  std::uint64_t bytes() const noexcept { return used_; }

 private:
  std::byte* take(std::uint64_t bytes) noexcept;
  std::byte* begin_;
  std::uint64_t used_ = 0;
  std::vector<adapter_piece> pieces_;
};

/// The full copies of an adapter that are not what the base has.
struct kept_copies {
  const module_copy* embed = nullptr;
  const module_copy* head = nullptr;
};

/// Lays one adapter out by the shapes of its sites, so that each can be put where it belongs as it comes.
class gpu_adapter_packing final : public adapter_packing {
 public:
  /// `base` and the copies outlive it; shapes and copies were checked against the base.
  gpu_adapter_packing(const model_weights& base, std::span<const site_shape> sites, kept_copies copies,
                      std::stop_token stop);

  /// What it will take on the device.
  std::uint64_t device_bytes() const noexcept { return out_->bytes_; }

  /// Takes memory of the pool and puts the copies there.
  result<void> begin(const pinned_pool& from);

  result<void> put(std::size_t number, const lora_site& site) override;
  result<std::shared_ptr<const packed_adapter>> finish(const adapter_version& version) override;

 private:
  /// Where a site goes: its first part, and its columns of the group's A.
  struct place {
    adapter_group* group = nullptr;  // null: the embeddings
    std::uint32_t first_part = 0;
    std::uint32_t column = 0;
  };

  void lay_out(adapter_layout& to);
  void lay_out_group(std::uint32_t layer, lora_group which, adapter_layout& to);
  void lay_out_part(const site_shape& s, std::uint32_t outputs, adapter_part& part, adapter_layout& to) const;
  void lay_out_embedding(adapter_layout& to);
  std::uint32_t outputs_of(projection part) const noexcept;
  result<void> put_pair(const lora_site& s, const place& to);
  result<void> put_part(const lora_site& s, projection part, std::uint32_t first, const adapter_part& to);
  result<std::vector<float>> factors_of(const lora_site& s, projection part, std::uint32_t first) const;
  result<void> put_embedding(const lora_site& s);
  result<void> put_copy(const module_copy& copy, const bfloat* to);
  result<void> put_turned(const lora_site& s, std::uint32_t first, std::uint32_t outputs,
                          std::span<const float> factors, bfloat* to, std::uint32_t stride) const;

  const model_weights& base_;
  const model_config& model_;  // of `base_`
  std::vector<site_shape> shapes_;
  kept_copies copies_;
  std::stop_token stop_;
  std::shared_ptr<gpu_packed_adapter> out_;
  std::uint64_t host_bytes_ = 0;
  std::vector<place> places_;      // of the sites
  std::vector<std::uint8_t> put_;  // sites that are where they belong; written by whoever puts them
};

}  // namespace lorica::gpu
