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

/// The two numbers of a register.
void unpack(std::uint32_t pair, float* to) {
  to[0] = std::bit_cast<float>(pair << 16);
  to[1] = std::bit_cast<float>(pair & 0xffff0000u);
}

fragments of_lane(const lane_slot* slots, unsigned lane) {
  fragments f;
  std::memcpy(&f, slots[lane].bytes, sizeof f);
  return f;
}

constexpr unsigned depth = 16;

/// A[row + 8 i][k], row < 8: register k / 8 * 2 + i of lane row * 4 + k % 8 / 2, half k % 2.
void rows_of_a(float (&to)[2][depth], const lane_slot* slots, unsigned row) {
  for (unsigned pair = 0; pair < 4; ++pair) {
    const auto f = of_lane(slots, row * 4 + pair);
    for (unsigned r = 0; r < 4; ++r)
      unpack(f.a[r], &to[r % 2][r / 2 * 8 + pair * 2]);
  }
}

/// B[k][column]: register k / 8 of lane column * 4 + k % 8 / 2, half k % 2.
void column_of_b(float (&to)[depth], const lane_slot* slots, unsigned column) {
  for (unsigned pair = 0; pair < 4; ++pair) {
    const auto f = of_lane(slots, column * 4 + pair);
    for (unsigned r = 0; r < 2; ++r)
      unpack(f.b[r], &to[r * 8 + pair * 2]);
  }
}

}  // namespace

void mma_m16n8k16(float (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2]) {
  fragments mine;
  std::memcpy(mine.a, a, sizeof mine.a);
  std::memcpy(mine.b, b, sizeof mine.b);
  auto* slots = meet(0xffffffffu, meeting::mma, &mine, sizeof mine);
  float rows[2][depth], columns[2][depth];
  rows_of_a(rows, slots, lane() / 4);
  for (unsigned i = 0; i < 2; ++i)
    column_of_b(columns[i], slots, lane() % 4 * 2 + i);
  for (unsigned k = 0; k < depth; ++k)
    for (unsigned i = 0; i < 4; ++i)
      d[i] += rows[i / 2][k] * columns[i % 2][k];
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
