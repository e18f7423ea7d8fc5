#pragma once

#include <cstdint>

#include "gpu/bfloat.hpp"
#include "gpu/stream.hpp"

namespace lorica::testing {

/// out[block] = sum of x[block * count ..]; `largest[block]` the largest of 8 neighbouring lanes of the first
/// warp.
result<void> sum_blocks(const float* x, unsigned count, unsigned blocks, unsigned threads, float* out,
                        float* largest, const gpu::stream& s);

/// d = A B with one warp: A [16][16], B [16][8] in rows, d [16][8]; fragments by hand.
result<void> multiply_tile(const gpu::bfloat* a, const gpu::bfloat* b, float* d, const gpu::stream& s);

/// The same by way of shared memory, asynchronous copies and matrix loads.
result<void> multiply_tile_by_matrices(const gpu::bfloat* a, const gpu::bfloat* b, float* d,
                                       const gpu::stream& s);

/// out[i] = x[i] of the mirrored place, through dynamic shared memory of `count` floats, one block.
result<void> mirror(const float* x, unsigned count, float* out, const gpu::stream& s);

/// Of 32 numbers: the first 11 by an asynchronous copy that stops there, zeros behind.
result<void> copy_some(const float* x, float* out, const gpu::stream& s);

/// counter += 1, one thread.
result<void> count_up(std::uint32_t* counter, const gpu::stream& s);

}  // namespace lorica::testing
