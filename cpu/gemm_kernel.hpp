#pragma once

// Body of gemm.hpp for one set of instructions; included after format_kernel.hpp.
//
// A tile of M rows and V vectors of sixteen outputs stays in registers over the whole depth. Many rows: one
// block of 32 outputs at a time, which stays in the caches for all tiles of rows. Few rows: several blocks at
// once, so that enough independent chains hide the latency of a multiply-add.

namespace lorica {
namespace {

/// How far ahead weights are asked for: with the work of several rows between its reads a processor does not
/// look far enough by itself, and short streams (adapters) end before it has begun to.
constexpr std::size_t bytes_ahead = 2048;

template <class Format, int M, int V>
void gemm_tile(const gemm_args& a, std::uint32_t first_row, std::uint32_t first_vector) {
  using element = typename Format::element;
  constexpr std::size_t lane_step = 16 * Format::depth_step;
  const std::size_t block_elements = std::size_t{a.depth} * block_outputs;
  const auto* x = static_cast<const element*>(a.x) + first_row * a.x_stride;
  const auto* w = static_cast<const element*>(a.weights) + (first_vector / 2) * block_elements +
                  (first_vector % 2) * lane_step;
  vec sums[M][V];
  for (int m = 0; m < M; ++m)
    for (int v = 0; v < V; ++v)
      sums[m][v] = zero();
  for (std::uint32_t k = 0; k < a.depth; k += Format::depth_step) {
    typename Format::weights ws[V];
    for (int v = 0; v < V; ++v)
      __builtin_prefetch(w + std::size_t(v / 2) * block_elements + std::size_t(v % 2) * lane_step +
                         bytes_ahead / sizeof(element));
    for (int v = 0; v < V; ++v)
      ws[v] = Format::load_weights(w + std::size_t(v / 2) * block_elements + std::size_t(v % 2) * lane_step);
    for (int m = 0; m < M; ++m) {
      const auto xs = Format::splat_input(x + std::size_t(m) * a.x_stride + k);
      for (int v = 0; v < V; ++v)
        sums[m][v] = Format::step(ws[v], xs, sums[m][v]);
    }
    w += 2 * lane_step;
  }
  const std::size_t column = std::size_t{first_vector} * 16;
  for (int v = 0; v < V; ++v) {
    const vec bias = a.bias ? load(a.bias + column + 16 * std::size_t(v)) : zero();
    for (int m = 0; m < M; ++m) {
      float* y = a.y + (first_row + std::size_t(m)) * a.y_stride + column + 16 * std::size_t(v);
      const vec out = a.bias ? sums[m][v] + bias : sums[m][v];
      store(y, a.into == gemm_into::add ? load(y) + out : out);
    }
  }
}

/// The most vectors (a power of two, at most 8) that M rows leave accumulators for.
constexpr int vectors_for(int rows) {
  int v = 1;
  while (v < 8 && 2 * v * rows <= accumulators)
    v *= 2;
  return v;
}

template <class Format, int M>
void gemm_rows(const gemm_args& a, std::uint32_t row, std::uint32_t vector, std::uint32_t end) {
  constexpr int widest = vectors_for(M);
  // Short blocks (adapters): one after the other is one long stream of memory, and chains of several overlap
  // anyway.
  constexpr int narrow = widest < 2 ? widest : 2;
  if (a.depth <= 64)
    for (; vector + narrow <= end; vector += narrow)
      gemm_tile<Format, M, narrow>(a, row, vector);
  for (; vector + widest <= end; vector += widest)
    gemm_tile<Format, M, widest>(a, row, vector);
  if constexpr (widest > 4)
    for (; vector + 4 <= end; vector += 4)
      gemm_tile<Format, M, 4>(a, row, vector);
  if constexpr (widest > 2)
    for (; vector + 2 <= end; vector += 2)
      gemm_tile<Format, M, 2>(a, row, vector);
}

template <class Format, int M = largest_row_tile>
LORICA_KERNEL void gemm_some_rows(int rows, const gemm_args& a, std::uint32_t row, std::uint32_t vector,
                                  std::uint32_t end) {
  if (rows == M) return gemm_rows<Format, M>(a, row, vector, end);
  if constexpr (M > 1) gemm_some_rows<Format, M - 1>(rows, a, row, vector, end);
}

template <class Format>
void gemm(const gemm_args& a) {
  constexpr std::uint32_t most = largest_row_tile;
  const std::uint32_t vectors = 2 * a.blocks;
  if (a.rows <= most) return gemm_some_rows<Format>(static_cast<int>(a.rows), a, 0, 0, vectors);
  const std::uint32_t tiles = (a.rows + most - 1) / most;
  for (std::uint32_t vector = 0; vector < vectors; vector += 2)
    for (std::uint32_t t = 0; t < tiles; ++t) {
      const std::uint32_t first = a.rows * t / tiles;
      const std::uint32_t last = a.rows * (t + 1) / tiles;
      gemm_some_rows<Format>(static_cast<int>(last - first), a, first, vector, vector + 2);
    }
}

}  // namespace
}  // namespace lorica
