// Y += sum of u Bᵀ with u from X Aᵀ, formula and shapes in lora.hpp, by tensor cores: 16 ranks (shrink) or
// outputs (expand) by 8 rows of X. A row is a column of the product, so what lies in the columns beside it
// does not matter to it.
//
// Shrink: the depth is cut in planes of 1024, a plane in four parts of 256, one per warp. A warp multiplies
// 32 inputs at a time: lane l reads 8 neighbouring ones, 8 (l % 4) and on, of row l / 4 of A and X, and gives
// them to two products. That is another order of inputs than the one in which they lie, but the same for A
// and X. Parts are added in order, and so are planes: here, or in expand where they are kept apart.
//
// Expand: a warp has 64 outputs, lane l 8 neighbouring ones of four ranks of Bᵀ, which make four products
// whose results are 8 neighbouring outputs of two rows again. Low-rank inputs become bfloat16 in shared
// memory, 64 ranks at a time. Sums begin at zero and go through ranks and uses in order.
#include "gpu/lora.hpp"

#include "gpu/lanes.cuh"
#include "gpu/launch.cuh"

#ifdef __CUDACC__
#define LORICA_UNROLL _Pragma("unroll")
#else
#define LORICA_UNROLL
#endif

namespace lorica::gpu {
namespace {

constexpr unsigned lora_warps = 4;
constexpr unsigned lora_threads = lora_warps * warp_lanes;
constexpr unsigned rows_per_product = 8;
constexpr unsigned ranks_per_product = 16;
constexpr unsigned part_depth = plane_depth / lora_warps;
constexpr unsigned depth_step = 32;
constexpr unsigned warp_outputs = 64;
constexpr unsigned block_outputs = lora_warps * warp_outputs;
constexpr unsigned ranks_at_once = 64;
constexpr unsigned ranks_stride = ranks_at_once + 8;  // so that the lanes of a warp read different banks

struct tile_list {
  const lora_tile* tiles;
  const std::uint32_t* count;
};

__device__ const adapter_group& group_of(const lora_args& a, std::uint32_t use) {
  return a.table.groups[std::size_t{a.uses[use].slot} * a.table.groups_per_slot + a.group];
}

/// 8 neighbours that begin on 16 bytes, of which the first `count` are there; zeros for the rest.
__device__ uint4 read_eight(const bfloat* from, unsigned count) {
  if (count >= 8) return *reinterpret_cast<const uint4*>(from);
  std::uint32_t words[4] = {};
  for (unsigned i = 0; i < 8; ++i)
    if (i < count) words[i / 2] |= std::uint32_t{from[i].bits} << (i % 2 * 16);
  return make_uint4(words[0], words[1], words[2], words[3]);
}

/// Of `of` neighbours from 0 on, how many of the 8 from `at` on are there.
__device__ unsigned there(std::uint32_t of, std::uint32_t at) {
  return at >= of ? 0 : of - at >= 8 ? 8 : of - at;
}

/// Ranks of one use that a block computes.
struct rank_slice {
  const adapter_group* group;  // null: there is no such slice
  std::uint32_t first;         // of its ranks
  std::uint32_t column;        // of its group in the tile's inputs
};

__device__ rank_slice find_slice(const lora_args& a, const lora_segment& s, std::uint32_t slice,
                                 unsigned ranks) {
  std::uint32_t column = 0;
  for (std::uint32_t use = s.first_use; use < s.first_use + s.uses; ++use) {
    const auto& g = group_of(a, use);
    const auto slices = (g.ranks + ranks - 1) / ranks;
    if (slice < slices) return {&g, slice * ranks, column};
    slice -= slices;
    column += g.ranks;
  }
  return {nullptr, 0, 0};
}

/// Products of a warp: `RankTiles` by 16 ranks, `RowTiles` by 8 rows.
template <unsigned RowTiles, unsigned RankTiles>
struct shrink_sums {
  float of[RowTiles][RankTiles][4];
};

/// Sums over inputs [from, to), at most `part_depth` of them.
template <unsigned RowTiles, unsigned RankTiles>
__device__ void multiply_part(const lora_args& a, const lora_tile& t, const rank_slice& slice,
                              std::uint32_t from, std::uint32_t to, shrink_sums<RowTiles, RankTiles>& sums) {
  const unsigned across = lane() / 4, along = lane() % 4 * 8;
  const auto& g = *slice.group;
  const auto weights = [&](std::uint32_t rank, std::uint32_t k) {
    return read_eight(g.a + std::size_t{rank} * g.a_stride + k, rank < g.ranks ? there(g.a_stride, k) : 0);
  };
  for (std::uint32_t k = from + along; k - along < to; k += depth_step) {
    uint4 low[RankTiles], high[RankTiles];
    LORICA_UNROLL
    for (unsigned i = 0; i < RankTiles; ++i) {
      const auto rank = slice.first + i * ranks_per_product + across;
      low[i] = weights(rank, k);
      high[i] = weights(rank + 8, k);
    }
    LORICA_UNROLL
    for (unsigned j = 0; j < RowTiles; ++j) {
      const auto row = j * rows_per_product + across;
      const auto x = read_eight(a.x + (std::size_t{t.first_row} + row) * a.x_stride + k,
                                row < t.rows ? there(a.depth, k) : 0);
      LORICA_UNROLL
      for (unsigned i = 0; i < RankTiles; ++i) {
        mma_m16n8k16(sums.of[j][i], {low[i].x, high[i].x, low[i].y, high[i].y}, {x.x, x.y});
        mma_m16n8k16(sums.of[j][i], {low[i].z, high[i].z, low[i].w, high[i].w}, {x.z, x.w});
      }
    }
  }
}

template <unsigned RowTiles, unsigned RankTiles>
struct shrink_block {
  static constexpr unsigned rows = RowTiles * rows_per_product;
  static constexpr unsigned ranks = RankTiles * ranks_per_product;
  static constexpr unsigned per_thread = rows * ranks / lora_threads;
  float part[lora_warps][rows][ranks];

  __device__ void put(const shrink_sums<RowTiles, RankTiles>& sums) {
    const unsigned across = lane() / 4, along = lane() % 4 * 2;
    for (unsigned j = 0; j < RowTiles; ++j)
      for (unsigned i = 0; i < RankTiles; ++i)
        for (unsigned n = 0; n < 4; ++n)
          part[warp()][j * rows_per_product + along + n % 2][i * ranks_per_product + across + n / 2 * 8] =
              sums.of[j][i][n];
  }

  /// The sum of all parts of an element.
  __device__ float sum(unsigned element) const {
    float out = part[0][element / ranks][element % ranks];
    for (unsigned w = 1; w < lora_warps; ++w)
      out += part[w][element / ranks][element % ranks];
    return out;
  }
};

/// One slice of ranks of one tile; `block` is free when all threads have returned.
template <unsigned RowTiles, unsigned RankTiles>
__device__ void shrink_slice(const lora_args& a, const lora_tile& t, const rank_slice& slice,
                             shrink_block<RowTiles, RankTiles>& block) {
  using shared = shrink_block<RowTiles, RankTiles>;
  const auto planes = lora_planes(a.depth);
  float total[shared::per_thread];
  auto* out = a.inputs + t.first_input + slice.column + slice.first;
  for (auto plane = t.apart ? blockIdx.z : 0; plane < planes; plane += t.apart ? gridDim.z : 1) {
    const auto from = plane * plane_depth + warp() * part_depth;
    const auto end = from + part_depth;
    shrink_sums<RowTiles, RankTiles> sums = {};
    multiply_part(a, t, slice, from, end < a.depth ? end : a.depth, sums);
    block.put(sums);
    __syncthreads();
    const bool last = t.apart || plane + 1 == planes;
    for (unsigned i = 0; i < shared::per_thread; ++i) {
      const unsigned element = threadIdx.x + i * lora_threads;
      const unsigned row = element / shared::ranks, rank = element % shared::ranks;
      const float sum = block.sum(element);
      total[i] = t.apart || plane == 0 ? sum : total[i] + sum;
      const std::size_t to = (std::size_t{t.apart ? plane : 0} * t.rows + row) * t.width + rank;
      if (last && row < t.rows && slice.first + rank < slice.group->ranks) out[to] = total[i];
    }
    __syncthreads();
  }
}

template <unsigned RowTiles, unsigned RankTiles>
__global__ void __launch_bounds__(lora_threads) shrink_kernel(lora_args a, tile_list list) {
  __shared__ shrink_block<RowTiles, RankTiles> block;
  const auto count = *list.count;
  for (auto i = blockIdx.y; i < count; i += gridDim.y) {
    const lora_tile t = list.tiles[i];
    if (t.apart == 0 && blockIdx.z != 0) continue;
    const lora_segment s = a.segments[t.segment];
    for (auto n = blockIdx.x;; n += gridDim.x) {
      const auto slice = find_slice(a, s, n, RankTiles * ranks_per_product);
      if (!slice.group) break;
      shrink_slice(a, t, slice, block);
    }
  }
}

/// Neighbouring outputs of one part, at most `block_outputs`.
struct output_slice {
  std::uint32_t part;
  std::uint32_t first;  // of the part
};

__device__ output_slice find_outputs(const lora_args& a, std::uint32_t slice) {
  for (std::uint32_t part = 0;; ++part) {
    const auto slices = (a.first_output[part + 1] - a.first_output[part] + block_outputs - 1) / block_outputs;
    if (slice < slices) return {part, slice * block_outputs};
    slice -= slices;
  }
}

/// The sum of a low-rank input's planes.
__device__ float input_at(const lora_args& a, const lora_tile& t, std::uint32_t row, std::uint32_t column) {
  const float* at = a.inputs + t.first_input + std::size_t{row} * t.width + column;
  float out = *at;
  if (t.apart == 0) return out;
  const std::size_t plane = std::size_t{t.rows} * t.width;
  const auto planes = lora_planes(a.depth);
  for (std::uint32_t i = 1; i < planes; ++i)
    out += at[i * plane];
  return out;
}

/// One of the uses of a segment, at a part of a group.
struct part_use {
  std::uint32_t use;
  std::uint32_t column;  // of the part in the tile's inputs
  const adapter_part* part;
};

/// What all uses of a merged segment that have the module give together.
__device__ float merged_input(const lora_args& a, const lora_tile& t, const lora_segment& s,
                              std::uint32_t part, std::uint32_t row, std::uint32_t rank) {
  float sum = 0;
  std::uint32_t column = 0;
  for (std::uint32_t use = s.first_use; use < s.first_use + s.uses; ++use) {
    const auto& g = group_of(a, use);
    const auto& p = g.part[part];
    if (rank < p.rank)
      sum += to_float(to_bfloat(input_at(a, t, row, column + p.column + rank) * a.uses[use].weight));
    column += g.ranks;
  }
  return sum;
}

/// u of one use; ranks [first, first + ranks_at_once) of a tile's rows, zeros where there is nothing.
template <unsigned Rows>
__device__ void put_inputs(const lora_args& a, const lora_tile& t, const lora_segment& s, const part_use& of,
                           std::uint32_t part, std::uint32_t first, bfloat (*to)[ranks_stride]) {
  for (unsigned i = threadIdx.x; i < Rows * ranks_at_once; i += lora_threads) {
    const unsigned row = i / ranks_at_once, rank = first + i % ranks_at_once;
    float u = 0;
    if (row < t.rows && rank < of.part->rank) {
      const float weight = a.uses[of.use].weight;
      if (s.merged)
        u = merged_input(a, t, s, part, row, rank) * (s.merge_scaling * weight);
      else
        u = input_at(a, t, row, of.column + rank) * of.part->scaling * weight;
    }
    to[row][i % ranks_at_once] = to_bfloat(u);
  }
}

/// The low and the high halves of two words, `a`'s first.
__device__ std::uint32_t low_halves(std::uint32_t a, std::uint32_t b) {
  return (a & 0xffffu) | b << 16;
}
__device__ std::uint32_t high_halves(std::uint32_t a, std::uint32_t b) {
  return a >> 16 | (b & 0xffff0000u);
}

__device__ std::uint32_t pair_at(const bfloat* at) {
  return *reinterpret_cast<const std::uint32_t*>(at);
}

/// sums[tile of rows][i] += what 16 ranks from `rank` on give to outputs 2 i and 2 i + 1 of the lane's 8,
/// which begin at `output`; `u` begins at these ranks.
template <unsigned RowTiles>
__device__ void multiply_ranks(const adapter_part& p, std::uint32_t rank, std::uint32_t output,
                               const bfloat (*u)[ranks_stride], unsigned at, float (&sums)[RowTiles][4][4]) {
  const unsigned across = lane() / 4, along = lane() % 4 * 2;
  const auto weights = [&](std::uint32_t r) {
    return read_eight(p.b + std::size_t{r} * p.b_stride + output, r < p.rank ? there(p.b_stride, output) : 0);
  };
  const uint4 b[4] = {weights(rank + along), weights(rank + along + 1), weights(rank + along + 8),
                      weights(rank + along + 9)};
  const std::uint32_t words[4][4] = {{b[0].x, b[0].y, b[0].z, b[0].w},
                                     {b[1].x, b[1].y, b[1].z, b[1].w},
                                     {b[2].x, b[2].y, b[2].z, b[2].w},
                                     {b[3].x, b[3].y, b[3].z, b[3].w}};
  LORICA_UNROLL
  for (unsigned j = 0; j < RowTiles; ++j) {
    const auto* row = u[j * rows_per_product + across] + at + along;
    const std::uint32_t inputs[2] = {pair_at(row), pair_at(row + 8)};
    LORICA_UNROLL
    for (unsigned i = 0; i < 4; ++i)
      mma_m16n8k16(sums[j][i],
                   {low_halves(words[0][i], words[1][i]), high_halves(words[0][i], words[1][i]),
                    low_halves(words[2][i], words[3][i]), high_halves(words[2][i], words[3][i])},
                   inputs);
  }
}

/// What outputs of one row are changed by beside u Bᵀ, in the order of uses: `count` from `output` on.
template <class Element>
__device__ void change_outputs(const lora_args& a, const lora_segment& s, const output_slice& slice,
                               std::uint32_t output, unsigned count, float (&y)[8]) {
  const auto* bias = static_cast<const Element*>(a.base_bias);
  if (bias) bias += a.first_output[slice.part] + output;
  for (std::uint32_t use = s.first_use; use < s.first_use + s.uses; ++use) {
    const auto& p = group_of(a, use).part[slice.part];
    const float weight = a.uses[use].weight;
    if (!p.gain && !p.offset) continue;
    LORICA_UNROLL
    for (unsigned i = 0; i < 8; ++i) {
      if (i >= count) break;
      const float before = bias ? y[i] - to_float(bias[i]) : y[i];
      const float change = p.gain ? p.gain[output + i] * before : 0.0f;
      y[i] += weight * (change + (p.offset ? p.offset[output + i] : 0.0f));
    }
  }
}

/// Eight neighbours as they lie in memory.
template <class Element>
union eight_elements {
  uint4 whole[8 * sizeof(Element) / sizeof(uint4)];
  Element each[8];
};

/// `count` neighbours, in whole vectors where they lie so.
template <class Element>
__device__ void read_outputs(const Element* from, unsigned count, float (&to)[8]) {
  eight_elements<Element> of;
  if (count == 8 && reinterpret_cast<std::uintptr_t>(from) % sizeof(uint4) == 0) {
    LORICA_UNROLL
    for (unsigned i = 0; i < sizeof of / sizeof(uint4); ++i)
      of.whole[i] = reinterpret_cast<const uint4*>(from)[i];
    LORICA_UNROLL
    for (unsigned i = 0; i < 8; ++i)
      to[i] = to_float(of.each[i]);
    return;
  }
  LORICA_UNROLL
  for (unsigned i = 0; i < 8; ++i)
    to[i] = i < count ? to_float(from[i]) : 0.0f;
}

template <class Element>
__device__ void write_outputs(const float (&from)[8], unsigned count, Element* to) {
  eight_elements<Element> of;
  LORICA_UNROLL
  for (unsigned i = 0; i < 8; ++i)
    of.each[i] = stored<Element>(from[i]);
  if (count == 8 && reinterpret_cast<std::uintptr_t>(to) % sizeof(uint4) == 0) {
    LORICA_UNROLL
    for (unsigned i = 0; i < sizeof of / sizeof(uint4); ++i)
      reinterpret_cast<uint4*>(to)[i] = of.whole[i];
    return;
  }
  LORICA_UNROLL
  for (unsigned i = 0; i < 8; ++i)
    if (i < count) to[i] = of.each[i];
}

/// What a segment does at one part.
struct part_effect {
  bool ranks;    // some use has A and B
  bool changes;  // some use has a gain or an offset
};

__device__ part_effect effect_of(const lora_args& a, const lora_segment& s, std::uint32_t part) {
  part_effect out = {false, false};
  for (std::uint32_t use = s.first_use; use < s.first_use + s.uses; ++use) {
    const auto& p = group_of(a, use).part[part];
    out.ranks |= p.rank != 0;
    out.changes |= p.gain || p.offset;
  }
  return out;
}

template <unsigned RowTiles>
__device__ void sum_uses(const lora_args& a, const lora_tile& t, const lora_segment& s,
                         const output_slice& slice, std::uint32_t output, bfloat (*u)[ranks_stride],
                         float (&sums)[RowTiles][4][4]) {
  std::uint32_t column = 0;
  for (std::uint32_t use = s.first_use; use < s.first_use + s.uses; ++use) {
    const auto& g = group_of(a, use);
    const auto& p = g.part[slice.part];
    for (std::uint32_t first = 0; first < p.rank; first += ranks_at_once) {
      put_inputs<RowTiles * rows_per_product>(a, t, s, {use, column + p.column, &p}, slice.part, first, u);
      __syncthreads();
      for (unsigned at = 0; at < ranks_at_once && first + at < p.rank; at += ranks_per_product)
        multiply_ranks<RowTiles>(p, first + at, output, u, at, sums);
      __syncthreads();
    }
    column += g.ranks;
  }
}

template <class Element, unsigned RowTiles>
__global__ void __launch_bounds__(lora_threads) expand_kernel(lora_args a, tile_list list) {
  __shared__ bfloat u[RowTiles * rows_per_product][ranks_stride];
  const auto slice = find_outputs(a, blockIdx.x);
  const auto output = slice.first + warp() * warp_outputs + lane() / 4 * 8;
  const auto count = there(a.first_output[slice.part + 1] - a.first_output[slice.part], output);
  const auto tiles = *list.count;
  for (auto i = blockIdx.y; i < tiles; i += gridDim.y) {
    const lora_tile t = list.tiles[i];
    const lora_segment s = a.segments[t.segment];
    const auto effect = effect_of(a, s, slice.part);
    if (!effect.ranks) continue;
    float sums[RowTiles][4][4] = {};
    sum_uses<RowTiles>(a, t, s, slice, output, u, sums);
    if (count == 0) continue;
    auto* y = static_cast<Element*>(a.y) + a.first_output[slice.part] + output;
    LORICA_UNROLL
    for (unsigned n = 0; n < RowTiles * 2; ++n) {
      const unsigned j = n / 2, row = j * rows_per_product + lane() % 4 * 2 + n % 2;
      if (row >= t.rows) continue;
      auto* to = y + (std::size_t{t.first_row} + row) * a.y_stride;
      float value[8];
      read_outputs(to, count, value);
      if (effect.changes) change_outputs<Element>(a, s, slice, output, count, value);
      LORICA_UNROLL
      for (unsigned o = 0; o < 8; ++o)
        value[o] += sums[j][o / 2][o % 2 * 2 + n % 2];
      write_outputs(value, count, to);
    }
  }
}

constexpr unsigned few_row_tiles = few_tile_rows / rows_per_product;
constexpr unsigned many_row_tiles = many_tile_rows / rows_per_product;
constexpr unsigned many_rank_tiles = 4;

tile_list few_of(const lora_args& a) {
  return {a.tiles.few, a.tiles.counts};
}
tile_list many_of(const lora_args& a) {
  return {a.tiles.many, a.tiles.counts + 1};
}

unsigned slices_of(const lora_args& a) {
  unsigned out = 0;
  for (std::uint32_t part = 0; part < a.parts; ++part)
    out += (a.first_output[part + 1] - a.first_output[part] + block_outputs - 1) / block_outputs;
  return out;
}

template <class Element>
result<void> expand(const lora_args& a, const stream& s) {
  const auto slices = slices_of(a);
  if (auto ok = launch("lora_expand", s, {dim3(slices, a.grid.few), dim3(lora_threads)},
                       expand_kernel<Element, few_row_tiles>, a, few_of(a));
      !ok)
    return ok;
  return launch("lora_expand", s, {dim3(slices, a.grid.many), dim3(lora_threads)},
                expand_kernel<Element, many_row_tiles>, a, many_of(a));
}

}  // namespace

result<void> lora_shrink(const lora_args& a, const stream& s) {
  const auto planes = lora_planes(a.depth);
  const auto slices = [&](unsigned ranks) { return (a.grid.ranks + ranks - 1) / ranks; };
  if (auto ok =
          launch("lora_shrink", s, {dim3(slices(ranks_per_product), a.grid.few, planes), dim3(lora_threads)},
                 shrink_kernel<few_row_tiles, 1>, a, few_of(a));
      !ok)
    return ok;
  return launch("lora_shrink", s,
                {dim3(slices(many_rank_tiles * ranks_per_product), a.grid.many, planes), dim3(lora_threads)},
                shrink_kernel<many_row_tiles, many_rank_tiles>, a, many_of(a));
}

result<void> lora_expand(const lora_args& a, const stream& s) {
  if (a.format == number_format::float32) return expand<float>(a, s);
  return expand<bfloat>(a, s);
}

}  // namespace lorica::gpu
