#pragma once

// Body of gemm.hpp for quantised weights and one set of instructions; included after a simd_*.hpp.
//
// A tile of M rows and V vectors of sixteen outputs: the integer sums of one group of 32 depths live in
// registers, then join the float sums, which do so over the whole depth. Weights are unpacked once per tile.
// What is subtracted from every code (8, 128) is in the sums before they begin.

namespace lorica {
namespace {

struct q4_codes {
  static constexpr std::uint32_t bytes = 512;
  template <int M>
  static LORICA_KERNEL void add(ints (&sums)[M], const std::uint8_t* w, const input_group* x,
                                std::size_t stride) {
    for (int j = 0; j < 4; ++j) {
      const codes both = load_codes(w + 64 * j);
      const codes low = low_halves(both), high = high_halves(both);
      for (int m = 0; m < M; ++m) {
        const std::int8_t* xs = x[std::size_t(m) * stride].codes + 8 * j;
        sums[m] = dot_halves(high, splat_quad(xs + 4), dot_halves(low, splat_quad(xs), sums[m]));
      }
    }
  }
};

struct q4_0_format : q4_codes {
  static constexpr bool has_minimum = false;
  static LORICA_KERNEL ints start(const input_group& x) { return splat_int(x.minus_8); }
};

struct q4_1_format : q4_codes {
  static constexpr bool has_minimum = true;
  static LORICA_KERNEL ints start(const input_group&) { return splat_int(0); }
};

struct q8_0_format {
  static constexpr std::uint32_t bytes = 1024;
  static constexpr bool has_minimum = false;
  static LORICA_KERNEL ints start(const input_group& x) { return start_of_bytes(x); }
  template <int M>
  static LORICA_KERNEL void add(ints (&sums)[M], const std::uint8_t* w, const input_group* x,
                                std::size_t stride) {
    for (int j = 0; j < 8; ++j) {
      const codes all = load_codes(w + 64 * j);
      for (int m = 0; m < M; ++m)
        sums[m] = dot_bytes(all, splat_quad(x[std::size_t(m) * stride].codes + 4 * j), sums[m]);
    }
  }
};

constexpr std::size_t groups_ahead = 8;

template <class Format>
constexpr std::size_t group_size = Format::bytes + 64 + (Format::has_minimum ? 64 : 0);

/// Asks for the group some groups on, in the next block where this one ends: with the work of several rows
/// between its reads a processor does not look far enough ahead by itself.
template <class Format>
LORICA_KERNEL void fetch_ahead(const std::uint8_t* group) {
  for (std::size_t line = 0; line < group_size<Format>; line += 64)
    __builtin_prefetch(group + groups_ahead * group_size<Format> + line, 0, 2);
}

template <class Format, int M, int V>
void quantised_tile(const gemm_args& a, std::uint32_t first_row, std::uint32_t first_vector) {
  const std::uint32_t groups = a.depth / depth_multiple;
  const std::size_t block = groups * group_size<Format>;
  const auto* x = static_cast<const input_group*>(a.x) + first_row * a.x_stride;
  const auto* w = static_cast<const std::uint8_t*>(a.weights) + (first_vector / 2) * block;
  const std::uint32_t odd = first_vector % 2;
  vec totals[V][M];
  for (int v = 0; v < V; ++v)
    for (int m = 0; m < M; ++m)
      totals[v][m] = zero();
  for (std::uint32_t g = 0; g < groups; ++g, ++x, w += group_size<Format>) {
    for (int v = 0; v < V; v += 2)
      fetch_ahead<Format>(w + (odd + std::uint32_t(v)) / 2 * block);
    for (int v = 0; v < V; ++v) {
      const std::size_t half = (odd + std::uint32_t(v)) % 2;
      const std::uint8_t* group = w + (odd + std::uint32_t(v)) / 2 * block;
      ints sums[M];
      for (int m = 0; m < M; ++m)
        sums[m] = Format::start(x[std::size_t(m) * a.x_stride]);
      Format::template add<M>(sums, group + half * (Format::bytes / 2), x, a.x_stride);
      const auto* scales = reinterpret_cast<const std::uint16_t*>(group + Format::bytes) + 16 * half;
      const vec scale = load_halves(scales);
      for (int m = 0; m < M; ++m) {
        const input_group& in = x[std::size_t(m) * a.x_stride];
        totals[v][m] = fma(to_floats(sums[m]), scale * splat(in.scale), totals[v][m]);
      }
      if constexpr (Format::has_minimum) {
        const vec minimum = load_halves(scales + block_outputs);
        for (int m = 0; m < M; ++m)
          totals[v][m] = fma(minimum, splat(x[std::size_t(m) * a.x_stride].scaled_sum), totals[v][m]);
      }
    }
  }
  const std::size_t column = std::size_t{first_vector} * 16;
  for (int v = 0; v < V; ++v) {
    const vec bias = a.bias ? load(a.bias + column + 16 * std::size_t(v)) : zero();
    for (int m = 0; m < M; ++m) {
      float* y = a.y + (first_row + std::size_t(m)) * a.y_stride + column + 16 * std::size_t(v);
      const vec out = a.bias ? totals[v][m] + bias : totals[v][m];
      store(y, a.into == gemm_into::add ? load(y) + out : out);
    }
  }
}

/// Vectors at once: sums and totals of all rows and two unpacked vectors of weights stay in registers.
constexpr int quantised_vectors(int rows) {
  return rows == 1 ? 4 : 2 * rows <= largest_quantised_tile ? 2 : 1;
}

template <class Format, int M>
void quantised_rows(const gemm_args& a, std::uint32_t row, std::uint32_t vector, std::uint32_t end) {
  constexpr int wide = quantised_vectors(M);
  for (; vector + wide <= end; vector += wide)
    quantised_tile<Format, M, wide>(a, row, vector);
  for (; vector < end; ++vector)
    quantised_tile<Format, M, 1>(a, row, vector);
}

template <class Format, int M = largest_quantised_tile>
LORICA_KERNEL void some_quantised_rows(int rows, const gemm_args& a, std::uint32_t row, std::uint32_t vector,
                                       std::uint32_t end) {
  if (rows == M) return quantised_rows<Format, M>(a, row, vector, end);
  if constexpr (M > 1) some_quantised_rows<Format, M - 1>(rows, a, row, vector, end);
}

template <class Format>
void quantised_gemm(const gemm_args& a) {
  constexpr std::uint32_t most = largest_quantised_tile;
  const std::uint32_t vectors = 2 * a.blocks;
  if (a.rows <= most) return some_quantised_rows<Format>(static_cast<int>(a.rows), a, 0, 0, vectors);
  const std::uint32_t tiles = (a.rows + most - 1) / most;
  for (std::uint32_t vector = 0; vector < vectors; vector += 2)
    for (std::uint32_t t = 0; t < tiles; ++t) {
      const std::uint32_t first = a.rows * t / tiles;
      const std::uint32_t last = a.rows * (t + 1) / tiles;
      some_quantised_rows<Format>(static_cast<int>(last - first), a, first, vector, vector + 2);
    }
}

}  // namespace
}  // namespace lorica
