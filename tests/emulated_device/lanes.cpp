#include "tests/emulated_device/lanes.hpp"

#include <bit>
#include <cstring>

#include "tests/emulated_device/grid.hpp"

namespace emulated_device {
namespace {

struct fragments {
  std::uint32_t a[4];
  std::uint32_t b[2];
};

float lower(std::uint32_t pair) {
  return std::bit_cast<float>(pair << 16);
}

float upper(std::uint32_t pair) {
  return std::bit_cast<float>(pair & 0xffff0000u);
}

fragments of_lane(const lane_slot* slots, unsigned lane) {
  fragments f;
  std::memcpy(&f, slots[lane].bytes, sizeof f);
  return f;
}

constexpr unsigned depth = 16;

/// What the four numbers of D in a lane are sums of, for one k.
using factors [[gnu::vector_size(16)]] = float;

/// A[row + 8 i][k] in numbers 2 i and 2 i + 1, row < 8: register k / 8 * 2 + i of lane row * 4 + k % 8 / 2,
/// half k % 2.
void rows_of_a(factors (&to)[depth], const lane_slot* slots, unsigned row) {
  for (unsigned pair = 0; pair < 4; ++pair) {
    const auto f = of_lane(slots, row * 4 + pair);
    for (unsigned r = 0; r < 2; ++r) {
      const auto x = f.a[r * 2], y = f.a[r * 2 + 1];
      to[r * 8 + pair * 2] = factors{lower(x), lower(x), lower(y), lower(y)};
      to[r * 8 + pair * 2 + 1] = factors{upper(x), upper(x), upper(y), upper(y)};
    }
  }
}

/// B[k][column + i] in numbers i and i + 2: register k / 8 of lane (column + i) * 4 + k % 8 / 2, half k % 2.
void columns_of_b(factors (&to)[depth], const lane_slot* slots, unsigned column) {
  for (unsigned pair = 0; pair < 4; ++pair) {
    const auto f = of_lane(slots, column * 4 + pair), g = of_lane(slots, (column + 1) * 4 + pair);
    for (unsigned r = 0; r < 2; ++r) {
      const auto x = f.b[r], y = g.b[r];
      to[r * 8 + pair * 2] = factors{lower(x), lower(y), lower(x), lower(y)};
      to[r * 8 + pair * 2 + 1] = factors{upper(x), upper(y), upper(x), upper(y)};
    }
  }
}

}  // namespace

void mma_m16n8k16(float (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2]) {
  fragments mine;
  std::memcpy(mine.a, a, sizeof mine.a);
  std::memcpy(mine.b, b, sizeof mine.b);
  auto* slots = meet(0xffffffffu, meeting::mma, &mine, sizeof mine);
  factors rows[depth], columns[depth], sums;
  rows_of_a(rows, slots, lane() / 4);
  columns_of_b(columns, slots, lane() % 4 * 2);
  std::memcpy(&sums, d, sizeof sums);
  for (unsigned k = 0; k < depth; ++k)
    sums += rows[k] * columns[k];
  std::memcpy(d, &sums, sizeof sums);
}

void load_matrices(std::uint32_t (&out)[4], const void* row, bool transposed) {
  if (reinterpret_cast<std::uintptr_t>(row) % 16 != 0) fault("a row of a matrix is not on 16 bytes");
  auto* slots = meet(0xffffffffu, meeting::load_matrix, &row, sizeof row);
  for (unsigned i = 0; i < 4; ++i)
    for (unsigned half = 0; half < 2; ++half) {
      const unsigned along = lane() % 4 * 2 + half, across = lane() / 4;
      const void* from = nullptr;
      std::memcpy(&from, slots[i * 8 + (transposed ? along : across)].bytes, sizeof from);
      std::uint16_t number = 0;
      std::memcpy(&number, static_cast<const std::byte*>(from) + 2 * (transposed ? across : along),
                  sizeof number);
      out[i] = half == 0 ? number : out[i] | std::uint32_t{number} << 16;
    }
}

}  // namespace emulated_device
