// y = softmax(q Kᵀ scale) V for tiles of neighbouring rows, shapes in attention.hpp. A block has some of a
// tile's rows with the query heads of one key-value head, sixteen of these queries per warp: a warp sums what
// is theirs alone, and what its threads hold of scores is what the product with V takes. Keys and values come
// tile by tile into one buffer each, the keys of the next tile while values are added, the values of this one
// while keys are multiplied. Sums of whole spans lie in shared memory, where each thread sees its own.
#include <type_traits>

#include "gpu/attention_tile.cuh"
#include "gpu/launch.cuh"

namespace lorica::gpu {
namespace {

/// How a launch divides tiles and heads.
struct prefill_shape {
  std::uint32_t pack = 1;         ///< query heads of a block
  std::uint32_t packs = 1;        ///< blocks for the heads of one key-value head
  std::uint32_t rows = 1;         ///< of a block
  std::uint32_t tile_blocks = 1;  ///< for the rows of a tile
};

template <unsigned Dim, unsigned Warps>
struct prefill_memory {
  using tile = head_tile<Dim>;
  static constexpr unsigned threads = Warps * warp_lanes;
  bfloat queries[Warps * 16 * tile::stride];
  bfloat keys[tile::elements];
  bfloat values[tile::elements];
  std::size_t places[2][tile::tokens];
  float sums[Dim / 8][4][threads];  ///< of the spans before the one at hand
};

template <unsigned Dim, unsigned Warps>
class prefiller {
  using tile = head_tile<Dim>;
  static constexpr unsigned score_groups = tile::tokens / 8;
  static constexpr unsigned groups = Dim / 8;
  static constexpr unsigned steps = tile::tokens / 16;

 public:
  __device__ prefiller(const attention_args& a, const row_tile& t, std::uint32_t first, std::uint32_t rows,
                       const prefill_shape& shape)
      : a_(a), rule_(a), memory_(*dynamic_shared<prefill_memory<Dim, Warps>>()) {
    const auto group = a.heads / a.kv_heads;
    const auto kv_head = blockIdx.y / shape.packs, head = blockIdx.y % shape.packs * shape.pack;
    queries_ = {t.first_row + first, rows, kv_head * group + head, min(shape.pack, group - head), shape.pack};
    head_ = a.kv.data + kv_head * a.kv.head_stride;
    table_ = a.tables.words + t.first_block;
    const auto position = t.position + first;
    all_ = {seen_from(position, a.window).from, position + rows};
    for (unsigned i = 0; i < 2; ++i)
      seen_[i] = seen_from(position + min(query(i) / shape.pack, rows - 1), a.window);
  }

  __device__ void run() {
    at_ = all_.from / tile::tokens * tile::tokens;
    find(0);
    copy_queries<Dim>(memory_.queries, a_, queries_, Warps * 16);
    __syncthreads();
    copy_keys(0);
    copy_values(0);
    for (unsigned now = 0; at_ < all_.until; now ^= 1)
      add_tile(now);
    wait_copies<0>();  // of nothing
    finish();
  }

 private:
  /// Number of the query that is row `i` of this lane.
  __device__ std::uint32_t query(unsigned i) const { return warp() * 16 + lane() / 4 + 8 * i; }

  __device__ void find(unsigned buffer) {
    find_tokens(memory_.places[buffer], a_.kv, table_, at_, tile::tokens, all_);
  }
  __device__ void copy_keys(unsigned buffer) {
    copy_tile<Dim>(memory_.keys, head_, memory_.places[buffer], a_.kv.padded_dim);
    commit_copies();
  }
  __device__ void copy_values(unsigned buffer) {
    copy_tile<Dim>(memory_.values, head_ + a_.kv.value_offset, memory_.places[buffer], a_.kv.padded_dim);
    commit_copies();
  }

  /// The tile at `at_`, which is moved on.
  __device__ void add_tile(unsigned now) {
    const auto at = at_;
    at_ += tile::tokens;
    find(now ^ 1);
    wait_copies<1>();
    __syncthreads();
    float scores[score_groups][4] = {};
    multiply_keys<Dim>(scores, memory_.queries + warp() * 16 * tile::stride, memory_.keys);
    __syncthreads();
    copy_keys(now ^ 1);  // beyond the end all of it is nowhere
    if (at % span_tokens == 0 && at > all_.from) close_span();
    std::uint32_t weights[steps][4];
    weigh(scores, at, weights);
    wait_copies<1>();
    __syncthreads();
    add_values<Dim>(sums_, totals_, weights, memory_.values);
    __syncthreads();
    copy_values(now ^ 1);
  }

  /// Weights as the tensor cores take them on the left.
  __device__ void weigh(float (&scores)[score_groups][4], std::uint32_t at,
                        std::uint32_t (&weights)[steps][4]) {
    score_tokens(scores, rule_, at, seen_);
    float keep[2];
#pragma unroll
    for (unsigned i = 0; i < 2; ++i) {
      const float exponent = rule_.exponent(highest(scores, i), exponents_[i]);
      keep[i] = whole_power(exponents_[i] - exponent);
      exponents_[i] = exponent;
    }
    if (__any_sync(all_lanes, keep[0] != 1.0f || keep[1] != 1.0f)) rescale(keep);
#pragma unroll
    for (unsigned step = 0; step < steps; ++step)
#pragma unroll
      for (unsigned i = 0; i < 4; ++i) {
        const auto& from = scores[2 * step + i / 2];
        const unsigned row = i % 2;
        weights[step][i] = to_pair(rule_.weight(from[2 * row], exponents_[row]),
                                   rule_.weight(from[2 * row + 1], exponents_[row]));
      }
  }

  __device__ void rescale(const float (&keep)[2]) {
#pragma unroll
    for (unsigned i = 0; i < 4; ++i) {
      totals_[i] *= keep[i / 2];
#pragma unroll
      for (unsigned n = 0; n < groups; ++n)
        sums_[n][i] *= keep[i / 2];
    }
  }

  /// What the span behind gave is added to what those before it gave.
  __device__ void close_span() {
    join([&](float& kept, float sum) { kept = sum; });
#pragma unroll
    for (unsigned i = 0; i < 4; ++i) {
      totals_[i] = 0;
#pragma unroll
      for (unsigned n = 0; n < groups; ++n)
        sums_[n][i] = 0;
    }
    exponents_[0] = exponents_[1] = no_exponent;
    spans_ = true;
  }

  /// Calls `put(kept, sum)` for every sum of this thread, joined with the one kept.
  template <class Put>
  __device__ void join(const Put& put) {
#pragma unroll
    for (unsigned row = 0; row < 2; ++row) {
      const joining both(kept_exponents_[row], exponents_[row]);
      kept_exponents_[row] = both.exponent;
      kept_totals_[row] = both.of(kept_totals_[row], totals_[2 * row]);
#pragma unroll
      for (unsigned n = 0; n < groups; ++n)
#pragma unroll
        for (unsigned i = 2 * row; i < 2 * row + 2; ++i) {
          auto& kept = memory_.sums[n][i][threadIdx.x];
          put(kept, both.of(spans_ ? kept : 0.0f, sums_[n][i]));
        }
    }
  }

  __device__ void finish() {
    close_span();
#pragma unroll
    for (unsigned i = 0; i < 2; ++i) {
      if (!queries_.has(query(i))) continue;
      auto* y =
          a_.y + queries_.row(query(i)) * a_.y_stride + std::size_t{queries_.head(query(i))} * a_.head_dim;
      for (unsigned n = 0; n < groups; ++n) {
        const auto d = n * 8 + lane() % 4 * 2;
        if (d >= a_.head_dim) break;
        store_pair(y + d, memory_.sums[n][2 * i][threadIdx.x] / kept_totals_[i],
                   memory_.sums[n][2 * i + 1][threadIdx.x] / kept_totals_[i], d + 1 < a_.head_dim);
      }
    }
  }

  const attention_args& a_;
  score_rule rule_;
  prefill_memory<Dim, Warps>& memory_;
  packed_queries queries_;
  const bfloat* head_;
  const std::uint32_t* table_;
  seen_positions all_;      // what any of the rows sees
  seen_positions seen_[2];  // what this lane's two rows see
  std::uint32_t at_ = 0;
  float sums_[groups][4] = {};
  float totals_[4] = {};
  float exponents_[2] = {no_exponent, no_exponent};
  float kept_totals_[2] = {};
  float kept_exponents_[2] = {no_exponent, no_exponent};
  bool spans_ = false;  // something is kept
};

/// The last rows see most, so they begin first.
template <unsigned Dim, unsigned Warps>
__global__ void __launch_bounds__(Warps* warp_lanes)
    prefill_kernel(attention_args a, const row_tile* tiles, prefill_shape shape) {
  wait_for_previous();
  const auto number = gridDim.x - 1 - blockIdx.x;
  const auto tile = tiles[number / shape.tile_blocks];
  const auto first = number % shape.tile_blocks * shape.rows;
  if (first < tile.rows)
    prefiller<Dim, Warps>(a, tile, first, min(shape.rows, tile.rows - first), shape).run();
  let_next_begin();
}

template <unsigned Dim, unsigned Warps>
result<void> prefill(const attention_args& a, const row_tile* tiles, std::uint32_t count, const stream& s) {
  constexpr std::uint32_t queries = Warps * 16;
  const auto group = a.heads / a.kv_heads;
  prefill_shape shape;
  shape.pack = std::min(group, queries);
  shape.packs = (group + shape.pack - 1) / shape.pack;
  shape.rows = std::min(queries / shape.pack, tile_rows);
  shape.tile_blocks = (tile_rows + shape.rows - 1) / shape.rows;
  const launch_shape grid{dim3(count * shape.tile_blocks, a.kv_heads * shape.packs), dim3(Warps * warp_lanes),
                          sizeof(prefill_memory<Dim, Warps>)};
  return launch("attention", s, grid, prefill_kernel<Dim, Warps>, a, tiles, shape);
}

}  // namespace

result<void> attend_prefill(const attention_args& a, const row_tile* tiles, std::uint32_t count,
                            const device_properties& d, const stream& s) {
  constexpr std::size_t everywhere = std::size_t{99} << 10;  // what every device since 8.0 has
  constexpr unsigned warps = 4;
  return for_head_dim(a.kv.padded_dim, [&](auto dim) {
    constexpr auto bytes = sizeof(prefill_memory<dim(), warps>);
    if constexpr (bytes > everywhere)
      if (bytes > d.shared_bytes) return prefill<dim(), warps / 2>(a, tiles, count, s);
    return prefill<dim(), warps>(a, tiles, count, s);
  });
}

}  // namespace lorica::gpu
