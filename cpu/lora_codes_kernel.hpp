#pragma once

// Body of lora_codes.hpp for one set of instructions; included after quantise_kernel.hpp.
//
// As in quantised_gemm_kernel.hpp: the integer sums of a group of 32 depths live in registers, then join the
// float sums; the lanes are sixteen ranks, or sixteen outputs. Adapters are read front to back.

namespace lorica {
namespace {

constexpr std::uint32_t quad_bytes = 64;  // four codes for sixteen lanes
constexpr std::size_t codes_ahead = 4096;

/// Adds one group of up to 32 depths, `count` times four, to the float sums of M rows; `high` are the codes
/// of the quads of `marks`.
template <int M>
LORICA_KERNEL void add_coded_group(vec (&totals)[M], const std::uint8_t* w, const input_group* x,
                                   std::size_t stride, std::uint32_t count, std::uint32_t marks = 0,
                                   const code_quad* high = nullptr) {
  ints sums[M];
  for (int m = 0; m < M; ++m)
    sums[m] = start_of_bytes(x[std::size_t(m) * stride]);
  for (std::uint32_t j = 0; j < count; ++j) {
    __builtin_prefetch(w + j * quad_bytes + codes_ahead);
    const codes all = load_codes(w + j * quad_bytes);
    for (int m = 0; m < M; ++m)
      sums[m] = dot_bytes(all, splat_quad(x[std::size_t(m) * stride].codes + 4 * j), sums[m]);
  }
  for (; marks != 0; marks &= marks - 1, high += M)
    q8_0_format::add_high<M>(sums, w, static_cast<std::uint32_t>(__builtin_ctz(marks)), high);
  for (int m = 0; m < M; ++m)
    totals[m] = fma(to_floats(sums[m]), splat(x[std::size_t(m) * stride].scale), totals[m]);
}

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
LORICA_KERNEL void expand_codes_rows(const expand_codes_args& a, const std::uint8_t* w,
                                     const std::uint16_t* scales, std::uint32_t row, std::size_t column) {
  vec totals[M];
  for (int m = 0; m < M; ++m)
    totals[m] = zero();
  const input_group* u = a.u + row * a.u_stride;
  for (std::uint32_t k = 0; k < a.rank; k += depth_multiple, ++u) {
    const std::uint32_t left = a.rank - k;
    const std::uint32_t own = (left < depth_multiple ? left : depth_multiple) / 4;
    add_coded_group<M>(totals, w + k / 4 * quad_bytes, u, a.u_stride, own);
  }
  const vec scale = load_bfloats(scales);
  for (int m = 0; m < M; ++m) {
    float* y = a.y + (row + std::size_t(m)) * a.y_stride + column;
    store(y, fma(totals[m], scale, load(y)));
  }
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
  for (std::uint32_t b = 0; b < a.blocks; ++b, block += coded_b_bytes(a.rank)) {
    const auto* scales = reinterpret_cast<const std::uint16_t*>(block + std::size_t{block_outputs} * a.rank);
    for (std::uint32_t half = 0; half < 2; ++half)
      in_row_tiles<coded_tile>(
          0, a.rows, [&](auto tile, std::uint32_t row) __attribute__((always_inline)) {
            expand_codes_rows<decltype(tile)::rows>(a, block + std::size_t{half} * 16 * a.rank,
                                                    scales + 16 * half, row,
                                                    std::size_t{b} * block_outputs + 16 * half);
          });
  }
}

}  // namespace
}  // namespace lorica
