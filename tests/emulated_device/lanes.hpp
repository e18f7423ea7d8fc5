#pragma once

#include <cstddef>
#include <cstdint>

// What `gpu/lanes.cuh` says in the device's own instructions, in plain loops; shapes and layouts are
// documented there.

namespace emulated_device {

/// d += A B, A 16 x 16, B 16 x 8 in bfloat16, d 16 x 8 in float32: sums from k = 0 on, each product exact.
void mma_m16n8k16(float (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2]);

/// Four matrices of 8 x 8 numbers of 16 bits; lane 8 i + j points to row j of matrix i.
void load_matrices(std::uint32_t (&out)[4], const void* row, bool transposed);

}  // namespace emulated_device
