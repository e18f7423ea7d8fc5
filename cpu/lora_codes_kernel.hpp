#pragma once

// Body of lora_codes.hpp for one set of instructions; included after quantise_kernel.hpp.
//
// As in quantised_gemm_kernel.hpp: the integer sums of a group of 32 depths live in registers, then join the
// float sums; the lanes are sixteen ranks, or sixteen outputs. Adapters are read front to back.

namespace lorica {
namespace {

template <int M>
LORICA_KERNEL void shrink_codes_rows(const shrink_codes_args& a, std::uint32_t row) {
  tile_high_codes high;
  high.none();
  if (a.high.codes) high.gather(a.high, a.depth, row, row + M);
  const auto* w = reinterpret_cast<const std::uint8_t*>(a.a);
  for (std::uint32_t rank = 0; rank < a.ranks; rank += rank_lanes) {
    vec totals[M];
    for (int m = 0; m < M; ++m)
      totals[m] = zero();
    const input_group* x = a.x + row * a.x_stride;
    const auto* marked = high.groups;
    const code_quad* quads = high.quads;
    for (std::uint32_t k = 0; k < a.depth; k += depth_multiple, ++x, w += depth_multiple / 4 * quad_bytes) {
      const bool here = marked->group == k / depth_multiple;
      const std::uint32_t marks = here ? marked->marks : 0;
      add_coded_group<M>(totals, w, x, a.x_stride, depth_multiple / 4, marks, quads);
      quads += M * __builtin_popcount(marks);
      marked += here;
    }
    vec factor = load(a.scales + rank) * splat(a.weight);
    if (a.scaling) factor = factor * load(a.scaling + rank);
    for (int m = 0; m < M; ++m)
      store(a.u + (row + std::size_t(m)) * a.u_stride + rank, totals[m] * factor);
  }
}

template <int M>
LORICA_KERNEL void expand_codes_rows(const expand_codes_args& a, const std::uint8_t* block, std::size_t half,
                                     std::uint32_t row, std::size_t column) {
  float* y = a.y + row * a.y_stride + column + 16 * half;
  vec out[M];
  for (int m = 0; m < M; ++m)
    out[m] = load(y + std::size_t(m) * a.y_stride);
  add_expanded<M>(out, block, a.rank, half, a.u + row * a.u_stride, a.u_stride);
  for (int m = 0; m < M; ++m)
    store(y + std::size_t(m) * a.y_stride, out[m]);
}

template <int M>
struct row_tile {
  static constexpr int rows = M;
};

/// `work(row_tile<M>, first row)` for all rows in tiles of at most `Most`.
template <int Most, class Work>
LORICA_KERNEL void in_row_tiles(std::uint32_t row, std::uint32_t rows, const Work& work) {
  for (; row + Most <= rows; row += Most)
    work(row_tile<Most>(), row);
  if constexpr (Most > 1) in_row_tiles<Most / 2>(row, rows, work);
}

constexpr int coded_tile = largest_quantised_tile < 8 ? 4 : 8;

void shrink_codes(const shrink_codes_args& a) {
  in_row_tiles<coded_tile>(
      0, a.rows, [&](auto tile, std::uint32_t row) __attribute__((always_inline)) {
        shrink_codes_rows<decltype(tile)::rows>(a, row);
      });
}

void quantise_low_rank(const quantise_low_rank_args& a) {
  for (std::uint32_t k = 0; k < a.rank; k += depth_multiple) {
    const std::uint32_t left = a.rank - k;
    const vec low = first_lanes(load(a.u + k), left < 16 ? left : 16, 0.0f);
    const vec high =
        left <= 16 ? zero() : first_lanes(load(a.u + k + 16), left - 16 < 16 ? left - 16 : 16, 0.0f);
    quantise_group(low, high, a.groups + k / depth_multiple);
  }
}

void expand_codes(const expand_codes_args& a) {
  const auto* block = reinterpret_cast<const std::uint8_t*>(a.b);
  for (std::uint32_t b = 0; b < a.blocks; ++b, block += coded_b_bytes(a.rank))
    for (std::size_t half = 0; half < 2; ++half)
      in_row_tiles<coded_tile>(
          0, a.rows, [&](auto tile, std::uint32_t row) __attribute__((always_inline)) {
            expand_codes_rows<decltype(tile)::rows>(a, block, half, row, std::size_t{b} * block_outputs);
          });
}

}  // namespace
}  // namespace lorica
