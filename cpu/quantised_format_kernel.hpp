#pragma once

// The formats of codes, in terms of a simd_*.hpp that was included before: products of one group of 32
// depths, as integers in registers. What is subtracted from every code (8, 128) is in the sums before they
// begin. Internal linkage: see there.

namespace lorica {
namespace {

/// Four neighbouring codes of a row.
struct code_quad {
  std::int8_t codes[4];
};

/// High codes of a tile's rows, side by side for each quad that has some in any row.
struct tile_high_codes {
  struct marked_group {
    std::uint16_t group;
    std::uint16_t marks;  // which quads
  };
  static constexpr std::uint32_t most_quads = most_marked_groups * (depth_multiple / 4);
  marked_group groups[most_marked_groups + 1];  // in order; the last one is behind all groups
  code_quad quads[most_quads * largest_quantised_tile];

  LORICA_KERNEL void none() { groups[0] = {0xffff, 0}; }

  LORICA_KERNEL void gather(const high_codes& from, std::uint32_t depth, std::uint32_t first,
                            std::uint32_t last) {
    const std::uint32_t count = depth / depth_multiple;
    std::uint8_t marks[most_marked_groups];
    __builtin_memset(marks, 0, count);
    for (std::uint32_t row = first; row < last; ++row) {
      const auto* own = from.marks(row, depth);
      for (std::uint32_t g = 0; g < count; ++g)
        marks[g] = static_cast<std::uint8_t>(marks[g] | own[g]);
    }
    auto* group = groups;
    auto* quad = quads;
    for (std::uint32_t g = 0; g < count; ++g) {
      if (marks[g] == 0) continue;
      *group++ = {static_cast<std::uint16_t>(g), marks[g]};
      for (std::uint32_t left = marks[g]; left != 0; left &= left - 1)
        for (std::uint32_t row = first; row < last; ++row, ++quad)
          if (from.marks(row, depth)[g] != 0)
            __builtin_memcpy(quad, from.row(row) + g * depth_multiple + 4 * __builtin_ctz(left),
                             sizeof *quad);
          else
            *quad = {};
    }
    *group = {static_cast<std::uint16_t>(count), 0};
  }
};

struct q4_codes {
  static constexpr std::uint32_t bytes = 512;
  /// What 8 makes of every code.
  static LORICA_KERNEL ints start(const input_group& x) { return splat_int(x.minus_8); }
  template <int M>
  static LORICA_KERNEL void sum(ints (&sums)[M], const std::uint8_t* w, const input_group* x,
                                std::size_t stride) {
    half_sums own[M];
    for (int m = 0; m < M; ++m)
      own[m] = begin_halves(start(x[std::size_t(m) * stride]));
    for (int j = 0; j < 4; ++j) {
      const codes both = load_codes(w + 64 * j);
      const codes low = low_halves(both), high = high_halves(both);
      for (int m = 0; m < M; ++m) {
        const std::int8_t* xs = x[std::size_t(m) * stride].codes + 8 * j;
        own[m] = dot_halves(high, splat_quad(xs + 4), dot_halves(low, splat_quad(xs), own[m]));
      }
    }
    for (int m = 0; m < M; ++m)
      sums[m] = end_halves(own[m], start(x[std::size_t(m) * stride]));
  }
  /// The high codes of quad j, those of row m at x + m.
  template <int M>
  static LORICA_KERNEL void add_high(ints (&sums)[M], const std::uint8_t* w, std::uint32_t j,
                                     const code_quad* x) {
    const codes both = load_codes(w + 64 * (j / 2));
    const codes own = j % 2 == 0 ? low_halves(both) : high_halves(both);
    for (int m = 0; m < M; ++m)
      sums[m] = dot_halves_sixteenfold(own, splat_quad(x[m].codes), sums[m]);
  }
};

struct q4_0_format : q4_codes {
  static constexpr bool has_shift = false;
};

struct q4_1_format : q4_codes {
  static constexpr bool has_shift = true;
};

struct q8_0_format {
  static constexpr std::uint32_t bytes = 1024;
  static constexpr bool has_shift = false;
  template <int M>
  static LORICA_KERNEL void sum(ints (&sums)[M], const std::uint8_t* w, const input_group* x,
                                std::size_t stride) {
    for (int m = 0; m < M; ++m)
      sums[m] = start_of_bytes(x[std::size_t(m) * stride]);
    for (int j = 0; j < 8; ++j) {
      const codes all = load_codes(w + 64 * j);
      for (int m = 0; m < M; ++m)
        sums[m] = dot_bytes(all, splat_quad(x[std::size_t(m) * stride].codes + 4 * j), sums[m]);
    }
  }
  template <int M>
  static LORICA_KERNEL void add_high(ints (&sums)[M], const std::uint8_t* w, std::uint32_t j,
                                     const code_quad* x) {
    const codes own = load_codes(w + 64 * j);
    for (int m = 0; m < M; ++m)
      sums[m] = add_sixteenfold(sums[m], dot_bytes(own, splat_quad(x[m].codes), splat_int(0)));
  }
};

constexpr std::uint32_t quad_bytes = 64;  // four codes of 8 bits for sixteen lanes
constexpr std::size_t codes_ahead = 4096;

/// Adds one group of up to 32 depths of 8 bits, `count` times four, to the float sums of M rows; `high` are
/// the codes of the quads of `marks`.
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

/// Adds sixteen outputs of U Bᵀ to M rows: `half` tells which of the block at `block`, whose rank is `rank`.
template <int M>
LORICA_KERNEL void add_expanded(vec (&y)[M], const std::uint8_t* block, std::uint32_t rank, std::size_t half,
                                const input_group* u, std::size_t stride) {
  vec totals[M];
  for (int m = 0; m < M; ++m)
    totals[m] = zero();
  const std::uint8_t* w = block + half * 16 * rank;
  for (std::uint32_t k = 0; k < rank; k += depth_multiple, ++u) {
    const std::uint32_t left = rank - k;
    const std::uint32_t own = (left < depth_multiple ? left : depth_multiple) / 4;
    add_coded_group<M>(totals, w + k / 4 * quad_bytes, u, stride, own);
  }
  const auto* scales = reinterpret_cast<const std::uint16_t*>(block + std::size_t{block_outputs} * rank);
  const vec scale = load_bfloats(scales + 16 * half);
  for (int m = 0; m < M; ++m)
    y[m] = fma(totals[m], scale, y[m]);
}

}  // namespace
}  // namespace lorica
