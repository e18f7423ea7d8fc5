#include "cpu/lora_coding.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>

#include "core/each_isa.hpp"
#include "cpu/bfloat.hpp"
#include "cpu/lora_codes.hpp"

namespace lorica {
namespace {

constexpr float most = 127;
constexpr std::uint8_t offset = 128;
constexpr std::size_t lanes = 16;  // of the widest vector
constexpr std::size_t quad = 4;    // neighbouring numbers of a row that lie together
constexpr std::size_t run = 64;    // numbers of a row that are coded at a time
constexpr std::int32_t infinite = 0x7f800000;

static_assert(lanes == rank_lanes && block_outputs % lanes == 0);

using words = std::int32_t __attribute__((vector_size(lanes * sizeof(float))));
using half_words = std::int32_t __attribute__((vector_size(lanes * sizeof(float) / 2)));
using quarter_words = std::int32_t __attribute__((vector_size(lanes * sizeof(float) / 4)));

/// The largest of sixteen; vectors are halved until one is short.
[[gnu::always_inline]] inline std::int32_t largest_of(const words& all) noexcept {
  half_words half[2];
  std::memcpy(half, &all, sizeof half);
  half[0] = half[0] > half[1] ? half[0] : half[1];
  quarter_words quarter[2];
  std::memcpy(quarter, half, sizeof quarter);
  const quarter_words four = quarter[0] > quarter[1] ? quarter[0] : quarter[1];
  return std::max(std::max(four[0], four[1]), std::max(four[2], four[3]));
}

/// The largest |x|; not a number where one of them is not finite. As whole numbers, of which the order is the
/// same.
[[gnu::always_inline]] inline float largest(const float* x, std::size_t count) noexcept {
  constexpr std::int32_t magnitude = 0x7fffffff;
  words all = {};
  std::size_t k = 0;
  for (; k + lanes <= count; k += lanes) {
    words bits;
    std::memcpy(&bits, x + k, sizeof bits);
    bits &= magnitude;
    all = bits > all ? bits : all;
  }
  auto out = largest_of(all);
  for (; k < count; ++k)
    out = std::max(out, std::bit_cast<std::int32_t>(x[k]) & magnitude);
  return out < infinite ? std::bit_cast<float>(out) : std::numeric_limits<float>::quiet_NaN();
}

/// 1 / scale; zero where there is nothing to divide: of tiny numbers and of those that are not finite.
[[gnu::always_inline]] inline float factor_of(float scale) noexcept {
  return scale > 1e-30f ? 1 / scale : 0.0f;
}

/// The least bfloat16 that is not below x: codes stay within 127.
[[gnu::always_inline]] inline std::uint16_t bfloat_above(float x) noexcept {
  const auto out = to_bfloat(x);
  return static_cast<std::uint16_t>(out + (from_bfloat(out) < x ? 1 : 0));
}

/// Rows of numbers that become the lanes from `first` to `last` of the layout [count / 4][16][4].
struct lane_rows {
  const float* row[lanes] = {};  ///< null: nothing but padding
  float factor[lanes] = {};
  std::size_t first = 0, last = lanes;
};

/// Codes `count` numbers of each row: times the row's factor to the nearest whole numbers, ties to even,
/// which are within 127, and 128 added. Behind them are codes of zero, up to `padded`, a multiple of four.
[[gnu::always_inline]] inline void pack_lanes(const lane_rows& from, std::size_t count, std::size_t padded,
                                              std::byte* out) noexcept {
  constexpr float whole = 12582912;  // 1.5 * 2^23: the sum with a small number has that in its lowest bits
  float scaled[lanes * run];
  std::uint8_t codes[lanes * run];
  for (std::size_t k = 0; k < padded; k += run) {
    const auto width = std::min(run, padded - k);
    const auto filled = k < count ? std::min(run, count - k) : 0;
    for (auto lane = from.first; lane < from.last; ++lane) {
      auto* to = scaled + lane * width;
      const float factor = from.factor[lane];
      const float* row = factor == 0 ? nullptr : from.row[lane] + k;
      std::size_t i = 0;
      for (; row && i < filled; ++i)
        to[i] = row[i] * factor;
      std::fill(to + i, to + width, 0.0f);
    }
    for (auto i = from.first * width; i < from.last * width; ++i)
      codes[i] = static_cast<std::uint8_t>(std::bit_cast<std::uint32_t>(scaled[i] + whole) + offset);
    for (std::size_t at = 0; at < width; at += quad)
      for (auto lane = from.first; lane < from.last; ++lane)
        std::memcpy(out + (k + at) * lanes + lane * quad, codes + lane * width + at, quad);
  }
}

}  // namespace

LORICA_EACH_ISA void pack_coded_a(std::span<const float> a, std::uint32_t rank, std::uint32_t depth,
                                  std::uint32_t first, std::byte* out, float* scales) noexcept {
  const auto cols = a.size() / rank;
  const auto padded = (cols + quad - 1) / quad * quad;
  const auto end = std::size_t{first} + rank;
  for (std::size_t at = first; at < end;) {
    const auto begin = at / lanes * lanes;
    lane_rows rows;
    rows.first = at - begin;
    rows.last = std::min(end - begin, lanes);
    for (auto lane = rows.first; lane < rows.last; ++lane, ++at) {
      rows.row[lane] = a.data() + (at - first) * cols;
      scales[at] = largest(rows.row[lane], cols) / most;
      rows.factor[lane] = factor_of(scales[at]);
    }
    pack_lanes(rows, cols, padded, out + begin * depth);
  }
}

LORICA_EACH_ISA void pack_coded_block(const float* const (&rows)[block_outputs], std::uint32_t rank,
                                      std::uint32_t padded, std::byte* out) noexcept {
  std::uint16_t scales[block_outputs];
  for (std::size_t begin = 0; begin < block_outputs; begin += lanes) {
    lane_rows half;
    float size[lanes] = {};
    for (std::size_t lane = 0; lane < lanes; ++lane) {
      half.row[lane] = rows[begin + lane];
      if (half.row[lane]) size[lane] = largest(half.row[lane], rank);
    }
    for (std::size_t lane = 0; lane < lanes; ++lane) {
      const auto scale = bfloat_above(size[lane] / most);
      scales[begin + lane] = scale;
      half.factor[lane] = factor_of(from_bfloat(scale));
    }
    pack_lanes(half, rank, padded, out + begin * padded);
  }
  std::memcpy(out + std::size_t{block_outputs} * padded, scales, sizeof scales);
}

}  // namespace lorica
