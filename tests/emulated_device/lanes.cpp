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

float half_of(std::uint32_t pair, unsigned which) {
  return std::bit_cast<float>(which == 0 ? pair << 16 : pair & 0xffff0000u);
}

fragments of_lane(const lane_slot* slots, unsigned lane) {
  fragments f;
  std::memcpy(&f, slots[lane].bytes, sizeof f);
  return f;
}

/// A[row][k]: register k / 8 * 2 + row / 8 of lane row % 8 * 4 + k % 8 / 2, half k % 2.
float element_a(const lane_slot* slots, unsigned row, unsigned k) {
  return half_of(of_lane(slots, row % 8 * 4 + k % 8 / 2).a[k / 8 * 2 + row / 8], k % 2);
}

/// B[k][column]: register k / 8 of lane column * 4 + k % 8 / 2, half k % 2.
float element_b(const lane_slot* slots, unsigned k, unsigned column) {
  return half_of(of_lane(slots, column * 4 + k % 8 / 2).b[k / 8], k % 2);
}

}  // namespace

void mma_m16n8k16(float (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2]) {
  fragments mine;
  std::memcpy(mine.a, a, sizeof mine.a);
  std::memcpy(mine.b, b, sizeof mine.b);
  auto* slots = meet(0xffffffffu, meeting::mma, &mine, sizeof mine);
  const unsigned row = lane() / 4, column = lane() % 4 * 2;
  for (unsigned i = 0; i < 4; ++i)
    for (unsigned k = 0; k < 16; ++k)
      d[i] += element_a(slots, row + i / 2 * 8, k) * element_b(slots, k, column + i % 2);
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
