#pragma once

#include <cstddef>
#include <cstdint>

#include "cpu/kernels.hpp"
#include "cpu/mapped_memory.hpp"
#include "cpu/mode.hpp"
#include "engine/executor.hpp"
#include "model/model_config.hpp"

namespace lorica {

/// Rows of one buffer, `stride` elements apart.
struct row_buffer {
  std::byte* data = nullptr;
  std::size_t stride = 0;          ///< elements
  std::uint32_t element_size = 0;  ///< bytes

  std::byte* row(std::size_t r) const noexcept { return data + r * stride * element_size; }
  float* floats(std::size_t r) const noexcept { return reinterpret_cast<float*>(row(r)); }
};

/// Inputs of a linear map. The groups have no data where no weights are quantised.
struct linear_input {
  row_buffer values;  ///< in the executor's format, zero beyond their width
  row_buffer groups;  ///< the same as codes: [rows, width / 32] of `input_group`
  row_buffer high;    ///< what sticks out of them: rows of `high_codes`; no data where all is in the groups

  input_group* groups_of(std::size_t r) const noexcept {
    return reinterpret_cast<input_group*>(groups.row(r));
  }
  std::int8_t* high_of(std::size_t r) const noexcept {
    return high.data ? reinterpret_cast<std::int8_t*>(high.row(r)) : nullptr;
  }
  /// Of row r and those behind it.
  high_codes high_from(std::size_t r) const noexcept { return {high_of(r), high.stride}; }
};

/// What the rows of a step pass through, allocated once for the largest step. Inputs of linear maps are in
/// the executor's format and zero beyond their width; sums are float32.
class workspace {
 public:
  workspace() = default;

  /// `logits_bytes` bounds the logits that are held at once; one row of them is the least.
  static result<workspace> allocate(const model_config& m, const executor_limits& limits, cpu_mode mode,
                                    unsigned members, std::uint64_t logits_bytes);

  row_buffer residual;     ///< float32 [rows, hidden]
  linear_input normed;     ///< [rows, hidden]: of qkv, gate and up
  row_buffer qkv;          ///< float32 [rows, q | k | v], each from a block of its own
  row_buffer query;        ///< [rows, heads * padded_head_dim], or `input_group`s where keys are codes
  linear_input attended;   ///< [rows, heads * head_dim]: of o
  linear_input activated;  ///< [rows, ffn]: of down
  row_buffer branch;       ///< float32 [rows, hidden]: what a branch adds, where it is normalised first
  row_buffer cos;          ///< float32 [rows, rotary_dim / 2]
  row_buffer sin;
  linear_input head_input;      ///< [head_rows, hidden]
  row_buffer logits;            ///< float32 [head_rows, vocab]
  row_buffer pieces;            ///< `logit_piece` [head_rows, vocab / summary_logits]
  row_buffer strip;             ///< float32, one row per member: gate and up of the columns at hand
  row_buffer low_rank;          ///< [rows, ranks of the widest composition]
  row_buffer low_rank_sums;     ///< float32, the same where adapters are codes
  row_buffer low_rank_codes;    ///< `input_group`s of that
  std::uint32_t head_rows = 0;  ///< logits are computed for so many rows at once

  std::uint64_t bytes() const noexcept { return memory_.size() + low_rank_memory_.size(); }

  /// Gives the memory of all rows back, between steps; they are zero again, as when they were allocated.
  void give_back() noexcept {
    memory_.give_back(0, memory_.size());
    low_rank_memory_.give_back(0, low_rank_memory_.size());
  }

  /// Makes the low-rank inputs at least `width` wide, as codes too where adapters are; what they held is
  /// lost. Fails with `errc::out_of_memory`.
  result<void> reserve_low_rank(std::uint32_t width, std::uint32_t rows, cpu_mode mode);

 private:
  mapped_memory memory_;
  mapped_memory low_rank_memory_;
};

}  // namespace lorica
