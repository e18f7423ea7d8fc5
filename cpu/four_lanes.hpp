#pragma once

// Four lanes whatever the instructions: numbers of four groups side by side. Included by simd_*.hpp.

#include <cstdint>

namespace lorica {
namespace {

using floats4 = float __attribute__((vector_size(16)));
using ints4 = std::int32_t __attribute__((vector_size(16)));

/// Row i becomes column i.
LORICA_KERNEL void transpose(ints4 (&rows)[4]) {
  const ints4 a = __builtin_shuffle(rows[0], rows[1], ints4{0, 4, 1, 5});
  const ints4 b = __builtin_shuffle(rows[2], rows[3], ints4{0, 4, 1, 5});
  const ints4 c = __builtin_shuffle(rows[0], rows[1], ints4{2, 6, 3, 7});
  const ints4 d = __builtin_shuffle(rows[2], rows[3], ints4{2, 6, 3, 7});
  rows[0] = __builtin_shuffle(a, b, ints4{0, 1, 4, 5});
  rows[1] = __builtin_shuffle(a, b, ints4{2, 3, 6, 7});
  rows[2] = __builtin_shuffle(c, d, ints4{0, 1, 4, 5});
  rows[3] = __builtin_shuffle(c, d, ints4{2, 3, 6, 7});
}

}  // namespace
}  // namespace lorica
