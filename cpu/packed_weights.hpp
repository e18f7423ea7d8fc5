#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/error.hpp"
#include "cpu/kernels.hpp"
#include "cpu/mapping.hpp"
#include "cpu/thread_team.hpp"
#include "model/weights.hpp"

namespace lorica {

/// Several weight matrices of one input, one below the other, packed for `gemm`: [blocks][k][16] with outputs
/// on the lanes, padded with zeros to whole blocks. Immutable after packing.
class packed_weights {
 public:
  packed_weights() = default;

  /// Packs `parts` (equal `cols`) on all members of the team.
  static result<packed_weights> pack(std::span<const tensor_view> parts, cpu_dtype type, thread_team& team);

  std::uint32_t k() const noexcept { return k_; }
  std::uint32_t n() const noexcept { return n_; }
  std::uint32_t blocks() const noexcept { return (n_ + lanes - 1) / lanes; }
  const void* data() const noexcept { return memory_.data(); }
  std::uint64_t bytes() const noexcept { return memory_.size(); }

  /// Output row `row` as float32, out.size() == k: the embedding of a token when the head is tied.
  void read_row(std::uint32_t row, std::span<float> out) const;

 private:
  std::uint32_t k_ = 0;
  std::uint32_t n_ = 0;
  cpu_dtype type_ = cpu_dtype::float32;
  mapping memory_;
};

/// Writes `values` to element `at` of packed storage of `type`.
void store_element(std::byte* storage, std::size_t at, float value, cpu_dtype type) noexcept;

/// Reads element `at`.
float load_element(const std::byte* storage, std::size_t at, cpu_dtype type) noexcept;

}  // namespace lorica
