#pragma once

// Body of gemm.hpp for quantised weights and one set of instructions; included after a simd_*.hpp.
//
// A tile of M rows and V vectors of sixteen outputs: the integer sums of one group of 32 depths live in
// registers, then join the float sums, which do so over the whole depth. Weights are unpacked once per tile.
// Shifts of two groups join the
// float sums in one product of pairs. Quads of inputs that have
// high codes in any row of the tile are multiplied once more; to rows without them that adds the integer
// zero.

namespace lorica {
namespace {

constexpr std::size_t groups_ahead = 8;

template <class Format>
constexpr std::size_t group_size = Format::bytes + 64 + (Format::has_shift ? 64 : 0);

/// Asks for the group some groups on, in the next block where this one ends: with the work of several rows
/// between its reads a processor does not look far enough ahead by itself.
template <class Format>
LORICA_KERNEL void fetch_ahead(const std::uint8_t* group) {
  for (std::size_t line = 0; line < group_size<Format>; line += 64)
    __builtin_prefetch(group + groups_ahead * group_size<Format> + line, 0, 2);
}

/// Asks for the lines of `memory_ahead` in equal parts, one part with every group of every tile.
class lines_ahead {
 public:
  LORICA_KERNEL lines_ahead(const memory_ahead* all, std::size_t parts) {
    if (!all || all->count == 0) return;
    range_ = all->ranges.data();
    end_ = range_ + all->count;
    std::size_t lines = 0;
    for (const auto* r = range_; r != end_; ++r)
      lines += (r->bytes + line - 1) / line;
    each_ = static_cast<std::uint32_t>((lines + parts - 1) / parts);
  }

  LORICA_KERNEL void ask() {
    for (std::uint32_t i = 0; i < each_; ++i) {
      if (range_ == end_) {
        each_ = 0;
        return;
      }
      __builtin_prefetch(range_->begin + at_, 0, 2);
      at_ += line;
      if (at_ < range_->bytes) continue;
      at_ = 0;
      ++range_;
    }
  }

 private:
  static constexpr std::size_t line = 64;
  const memory_ahead::range* range_ = nullptr;
  const memory_ahead::range* end_ = nullptr;
  std::size_t at_ = 0;
  std::uint32_t each_ = 0;
};

/// Where a tile is.
struct tile_place {
  const input_group* x;
  std::size_t x_stride;
  const std::uint8_t* w;
  std::size_t block;  // bytes
  std::uint32_t odd;  // the first vector is a block's second
};

/// Adds the codes of the group at hand to the sums of M rows and V vectors; the high codes of the
/// quads of `marks` lie at `quads`.
template <class Format, int M, int V, bool High>
LORICA_KERNEL void add_quantised_codes(vec (&totals)[V][M], const tile_place& at, std::uint32_t marks,
                                       const code_quad* quads) {
  for (int v = 0; v < V; v += 2)
    fetch_ahead<Format>(at.w + (at.odd + std::uint32_t(v)) / 2 * at.block);
  for (int v = 0; v < V; ++v) {
    const std::size_t half = (at.odd + std::uint32_t(v)) % 2;
    const std::uint8_t* group = at.w + (at.odd + std::uint32_t(v)) / 2 * at.block;
    const std::uint8_t* own = group + half * (Format::bytes / 2);
    ints sums[M];
    Format::template sum<M>(sums, own, at.x, at.x_stride);
    if constexpr (High) {
      const code_quad* next = quads;
      for (std::uint32_t left = marks; left != 0; left &= left - 1, next += M)
        Format::template add_high<M>(sums, own, static_cast<std::uint32_t>(__builtin_ctz(left)), next);
    }
    const auto* scales = reinterpret_cast<const std::uint16_t*>(group + Format::bytes) + 16 * half;
    const vec scale = load_halves(scales);
    for (int m = 0; m < M; ++m) {
      const input_group& in = at.x[std::size_t(m) * at.x_stride];
      totals[v][m] = fma(to_floats(sums[m]), scale * splat(in.scale), totals[v][m]);
    }
  }
}

/// Adds the shifts of the group at hand and of the even one before it, or of a last even one alone.
template <class Format, int M, int V>
LORICA_KERNEL void add_shifts(vec (&totals)[V][M], const tile_place& at, bool alone) {
  for (int v = 0; v < V; ++v) {
    const std::size_t half = (at.odd + std::uint32_t(v)) % 2;
    const std::uint8_t* group = at.w + (at.odd + std::uint32_t(v)) / 2 * at.block;
    const auto* shifts = reinterpret_cast<const std::uint16_t*>(group + Format::bytes + 64);
    if (alone) {
      const vec own = load_bfloats(shifts + 16 * half);
      for (int m = 0; m < M; ++m)
        totals[v][m] = fma(own, splat(at.x[std::size_t(m) * at.x_stride].scaled_sum), totals[v][m]);
      continue;
    }
    const pairs both =
        load_pairs(shifts - (half == 0 ? group_size<Format> / sizeof *shifts : std::size_t{0}));
    for (int m = 0; m < M; ++m) {
      const input_group* in = at.x + std::size_t(m) * at.x_stride;
      totals[v][m] = dot_sums(both, in[-1], in[0], totals[v][m]);
    }
  }
}

template <class Format, int M, int V, bool High>
LORICA_KERNEL void add_quantised_group(vec (&totals)[V][M], const tile_place& at, std::uint32_t group,
                                       std::uint32_t groups, std::uint32_t marks, const code_quad* quads) {
  add_quantised_codes<Format, M, V, High>(totals, at, marks, quads);
  if constexpr (Format::has_shift)
    if (group % 2 == 1 || group + 1 == groups) add_shifts<Format, M, V>(totals, at, group % 2 == 0);
}

/// Writes the sums of M rows and one vector, with the bias, what was there, and the low-rank terms, whose
/// depths follow those of the weights.
template <int M>
LORICA_KERNEL void finish_outputs(const gemm_args& a, std::uint32_t first_row, std::uint32_t vector,
                                  vec (&out)[M]) {
  const std::size_t column = std::size_t{vector} * 16;
  float* y = a.y + first_row * a.y_stride + column;
  if (a.bias)
    for (int m = 0; m < M; ++m)
      out[m] = out[m] + load(a.bias + column);
  if (a.into == gemm_into::add)
    for (int m = 0; m < M; ++m)
      out[m] = load(y + std::size_t(m) * a.y_stride) + out[m];
  for (const low_rank_term& term : a.terms) {
    const std::uint32_t block = vector / 2 - term.first_block;  // wraps to a large one before it
    if (block >= term.blocks) continue;
    add_expanded<M>(out, reinterpret_cast<const std::uint8_t*>(term.b) + block * coded_b_bytes(term.rank),
                    term.rank, vector % 2, term.u + first_row * term.u_stride, term.u_stride);
  }
  for (int m = 0; m < M; ++m)
    store(y + std::size_t(m) * a.y_stride, out[m]);
}

/// Runs of groups without high codes have a loop of their own: beside the loop over marked quads the
/// registers would not hold a tile.
template <class Format, int M, int V, bool High>
void quantised_tile(const gemm_args& a, std::uint32_t first_row, std::uint32_t first_vector,
                    const tile_high_codes& high, lines_ahead& ahead) {
  const std::uint32_t groups = a.depth / depth_multiple;
  const std::size_t block = groups * group_size<Format>;
  tile_place at{static_cast<const input_group*>(a.x) + first_row * a.x_stride, a.x_stride,
                static_cast<const std::uint8_t*>(a.weights) + (first_vector / 2) * block, block,
                first_vector % 2};
  vec totals[V][M];
  for (int v = 0; v < V; ++v)
    for (int m = 0; m < M; ++m)
      totals[v][m] = zero();
  const auto* marked = high.groups;
  const code_quad* quads = high.quads;
  for (std::uint32_t g = 0; g < groups; ++g, ++marked) {
    const std::uint32_t stop = High ? marked->group : groups;
    for (; g < stop; ++g, ++at.x, at.w += group_size<Format>) {
      ahead.ask();
      add_quantised_group<Format, M, V, false>(totals, at, g, groups, 0, nullptr);
    }
    if (g == groups) break;
    ahead.ask();
    add_quantised_group<Format, M, V, true>(totals, at, g, groups, marked->marks, quads);
    quads += M * __builtin_popcount(marked->marks);
    ++at.x, at.w += group_size<Format>;
  }
  for (int v = 0; v < V; ++v)
    finish_outputs<M>(a, first_row, first_vector + std::uint32_t(v), totals[v]);
}

/// Vectors at once: enough chains to hide the latency of a product, where registers hold what they need
/// (measured: one vector more is twice the time from five rows on).
constexpr int quantised_vectors(int rows) {
  return rows == 1 ? 4 : rows == 2 && accumulators >= 16 ? 2 : 1;
}

template <class Format, int M, bool High>
void quantised_rows(const gemm_args& a, std::uint32_t row, std::uint32_t vector, std::uint32_t end,
                    const tile_high_codes& high, lines_ahead& ahead) {
  constexpr int wide = quantised_vectors(M);
  for (; vector + wide <= end; vector += wide)
    quantised_tile<Format, M, wide, High>(a, row, vector, high, ahead);
  for (; vector < end; ++vector)
    quantised_tile<Format, M, 1, High>(a, row, vector, high, ahead);
}

template <class Format, bool High, int M = largest_quantised_tile>
LORICA_KERNEL void some_quantised_rows(int rows, const gemm_args& a, std::uint32_t row, std::uint32_t vector,
                                       std::uint32_t end, const tile_high_codes& high, lines_ahead& ahead) {
  if (rows == M) return quantised_rows<Format, M, High>(a, row, vector, end, high, ahead);
  if constexpr (M > 1) some_quantised_rows<Format, High, M - 1>(rows, a, row, vector, end, high, ahead);
}

/// Weights that stay in a core's second cache while all tiles of rows pass.
constexpr std::size_t bytes_at_once = std::size_t{256} << 10;

/// The rows of a tile stay in the first cache for the blocks at hand, and which of their quads are marked is
/// the same for all of these.
template <class Format, bool High>
LORICA_KERNEL void quantised_tiles(const gemm_args& a) {
  constexpr std::uint32_t most = largest_quantised_tile;
  tile_high_codes high;
  if constexpr (!High) high.none();
  const std::uint32_t tiles = (a.rows + most - 1) / most;
  const std::size_t block = a.depth / depth_multiple * group_size<Format>;
  const std::uint32_t vectors = 2 * a.blocks;
  const std::uint32_t fitting = 2 * static_cast<std::uint32_t>(1 + bytes_at_once / block);
  const std::uint32_t step = tiles == 1 ? vectors : fitting;
  const auto wide =
      static_cast<std::uint32_t>(quantised_vectors(static_cast<int>((a.rows + tiles - 1) / tiles)));
  lines_ahead ahead(a.ahead, std::size_t{tiles} * ((vectors + wide - 1) / wide) * (a.depth / depth_multiple));
  for (std::uint32_t vector = 0; vector < vectors; vector += step) {
    const std::uint32_t end = vector + step < vectors ? vector + step : vectors;
    for (std::uint32_t t = 0; t < tiles; ++t) {
      const std::uint32_t first = a.rows * t / tiles, last = a.rows * (t + 1) / tiles;
      if constexpr (High) high.gather(a.high, a.depth, first, last);
      some_quantised_rows<Format, High>(static_cast<int>(last - first), a, first, vector, end, high, ahead);
    }
  }
}

template <class Format>
void quantised_gemm(const gemm_args& a) {
  if (a.high.codes) return quantised_tiles<Format, true>(a);
  quantised_tiles<Format, false>(a);
}

}  // namespace
}  // namespace lorica
