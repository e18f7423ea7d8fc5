#pragma once

#include <algorithm>
#include <cstdint>
#include <span>

namespace lorica::gpu {

/// Up to how many rows a segment is computed in tiles of few rows, and beyond in tiles of many, by its width
/// (the ranks of all its uses in the widest group). Only a matter of speed: both give the same bits.
struct lora_choice {
  static constexpr std::uint32_t widest_narrow = 96;

  std::uint32_t narrow = 32;  ///< rows, of widths up to `widest_narrow`
  std::uint32_t wide = 32;    ///< of larger ones

  constexpr std::uint32_t few_rows(std::uint32_t width) const noexcept {
    return width <= widest_narrow ? narrow : wide;
  }
  /// No segment of so many rows has tiles of many.
  constexpr std::uint32_t least() const noexcept { return std::min(narrow, wide); }

  bool operator==(const lora_choice&) const = default;
};

/// What one segment of so many rows took in both ways, in any unit.
struct lora_time {
  std::uint32_t rows = 0;
  float few = 0, many = 0;
};

/// The most rows for which tiles of few are the better way, by times at ascending rows: where the two are
/// nearly equal, `otherwise` tells, and behind the first rows that many serve better all are many's.
std::uint32_t few_rows_by(std::span<const lora_time> times, std::uint32_t otherwise) noexcept;

}  // namespace lorica::gpu
