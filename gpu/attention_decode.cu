// y = softmax(q Kᵀ scale) V for single rows, shapes in attention.hpp. A block has one row, the query heads of
// one key-value head (up to sixteen: the rows of a tensor-core product) and some neighbouring spans of
// positions, which come tile by tile into two buffers of shared memory. Its four warps share a tile's tokens
// for the scores, and the dimensions for the values, so that every sum is one chain. Part 0 keeps the sum of
// its spans, the others leave the sum of each, and a second kernel joins what is left in order.
#include <type_traits>

#include "gpu/attention_tile.cuh"
#include "gpu/launch.cuh"

namespace lorica::gpu {
namespace {

constexpr unsigned warps_per_block = 4;
constexpr unsigned threads = warps_per_block * warp_lanes;
constexpr unsigned queries_at_once = 16;

constexpr std::uint32_t parts_of(std::uint32_t whole, std::uint32_t size) {
  return (whole + size - 1) / size;
}

/// Spans of one row, and how they fall to parts.
struct row_spans {
  std::uint32_t first, count, per_part;

  __device__ row_spans(seen_positions seen, std::uint32_t parts)
      : first(seen.from / span_tokens),
        count((seen.until + span_tokens - 1) / span_tokens - first),
        per_part((count + parts - 1) / parts) {}
};

/// Where sums of (row, head, span) lie: [rows][heads][spans][head_dim], and behind all of them exponent and
/// total of each. Span 0 is what part 0 has.
struct partial_sums {
  float* sums;
  float* rest;

  __device__ partial_sums(const attention_args& a, const decode_rows& rows, std::uint32_t item,
                          std::uint32_t head) {
    const std::size_t spans = (rows.max_positions + span_tokens - 1) / span_tokens;
    const std::size_t first = (std::size_t{item} * a.heads + head) * spans;
    sums = rows.partials + first * a.head_dim;
    rest = rows.partials + std::size_t{rows.count} * a.heads * spans * a.head_dim + first * 2;
  }
};

/// What a warp has summed: its dimensions of sixteen queries.
template <unsigned Groups>
struct span_sums {
  float sums[Groups][4] = {};
  float totals[4] = {};
  float exponents[2] = {no_exponent, no_exponent};

  /// Under higher exponents.
  __device__ void rescale(const float (&to)[2]) {
    const float keep[2] = {whole_power(exponents[0] - to[0]), whole_power(exponents[1] - to[1])};
    for (unsigned i = 0; i < 4; ++i) {
      totals[i] *= keep[i / 2];
      for (unsigned n = 0; n < Groups; ++n)
        sums[n][i] *= keep[i / 2];
    }
    exponents[0] = to[0];
    exponents[1] = to[1];
  }

  __device__ void join(const span_sums& next) {
    for (unsigned row = 0; row < 2; ++row) {
      const joining both(exponents[row], next.exponents[row]);
      exponents[row] = both.exponent;
      for (unsigned i = 2 * row; i < 2 * row + 2; ++i) {
        totals[i] = both.of(totals[i], next.totals[i]);
        for (unsigned n = 0; n < Groups; ++n)
          sums[n][i] = both.of(sums[n][i], next.sums[n][i]);
      }
    }
  }
};

template <unsigned Dim>
struct decode_memory {
  using tile = head_tile<Dim>;
  static constexpr unsigned weight_stride = tile::tokens + 8;
  bfloat queries[queries_at_once * tile::stride];
  bfloat weights[queries_at_once * weight_stride];
  bfloat keys[2][tile::elements];
  bfloat values[2][tile::elements];
  std::size_t places[2][tile::tokens];
  float peaks[warps_per_block][queries_at_once];
};

template <unsigned Dim>
class decoder {
  using tile = head_tile<Dim>;
  static constexpr unsigned warp_tokens = tile::tokens / warps_per_block;
  static constexpr unsigned score_groups = warp_tokens / 8;
  static constexpr unsigned warp_dims = Dim / warps_per_block;
  static constexpr unsigned groups = warp_dims / 8;
  static constexpr unsigned steps = tile::tokens / 16;
  using state = span_sums<groups>;

 public:
  __device__ decoder(const attention_args& a, const decode_rows& rows, std::uint32_t pack)
      : a_(a), rows_(rows), rule_(a), memory_(*dynamic_shared<decode_memory<Dim>>()) {
    item_ = blockIdx.z;
    const auto row = rows.rows ? rows.rows[item_] : item_;
    const auto group = a.heads / a.kv_heads;
    const auto packs = (group + pack - 1) / pack;
    const auto kv_head = blockIdx.y / packs, first = blockIdx.y % packs * pack;
    queries_ = {row, 1, kv_head * group + first, min(pack, group - first), pack};
    head_ = a.kv.data + kv_head * a.kv.head_stride;
    table_ = a.tables.words + a.tables.first_block[row];
    seen_ = seen_from(a.tables.positions[row], a.window);
  }

  __device__ void run() {
    const row_spans spans(seen_, rows_.parts);
    const auto part = blockIdx.x;
    const auto first = part * spans.per_part;
    if (first >= spans.count) return;
    const auto last = min(first + spans.per_part, spans.count);
    at_ = max((spans.first + first) * span_tokens, seen_.from / tile::tokens * tile::tokens);
    end_ = min((spans.first + last) * span_tokens, seen_.until);
    begin();
    state all;
    for (auto span = first; span < last; ++span) {
      state own;
      const auto until = min((spans.first + span + 1) * span_tokens, end_);
      while (at_ < until)
        add_tile(own);
      if (part == 0)
        all.join(own);
      else
        leave(own, span);
    }
    wait_copies<0>();  // of nothing
    if (part != 0) return;
    if (rows_.parts == 1)
      finish(all);
    else
      leave(all, 0);
  }

 private:
  __device__ void find(std::uint32_t at, unsigned buffer) {
    find_tokens(memory_.places[buffer], a_.kv, table_, at, tile::tokens, {seen_.from, end_});
  }

  __device__ void copy(unsigned buffer) {
    copy_tile<Dim>(memory_.keys[buffer], head_, memory_.places[buffer], a_.kv.padded_dim);
    copy_tile<Dim>(memory_.values[buffer], head_ + a_.kv.value_offset, memory_.places[buffer],
                   a_.kv.padded_dim);
    commit_copies();
  }

  __device__ void begin() {
    find(at_, 0);
    find(at_ + tile::tokens, 1);
    copy_queries<Dim>(memory_.queries, a_, queries_, queries_at_once);
    __syncthreads();
    copy(0);
    __syncthreads();  // before its places are found anew
  }

  /// One tile at `at_`, which is moved on; the next one is on its way meanwhile.
  __device__ void add_tile(state& own) {
    const auto now = buffer_;
    buffer_ ^= 1;
    copy(buffer_);  // beyond the end all of it is nowhere
    find(at_ + 2 * tile::tokens, now);
    wait_copies<1>();
    __syncthreads();
    float scores[score_groups][4] = {};
    const auto first = warp() * warp_tokens;
    multiply_keys<Dim>(scores, memory_.queries, memory_.keys[now] + first * tile::stride);
    const seen_positions seen[2] = {seen_, seen_};
    score_tokens(scores, rule_, at_ + first, seen);
    weigh(scores, own);
    std::uint32_t weights[steps][4];
    for (unsigned step = 0; step < steps; ++step)
      load_matrices(weights[step], memory_.weights + lane() % 16 * decode_memory<Dim>::weight_stride +
                                       step * 16 + lane() / 16 * 8);
    add_values<Dim>(own.sums, own.totals, weights, memory_.values[now] + warp() * warp_dims);
    __syncthreads();  // before the buffer is filled anew
    at_ += tile::tokens;
  }

  /// Scores of a warp's tokens become weights, which all warps share.
  __device__ void weigh(const float (&scores)[score_groups][4], state& own) {
    const unsigned row = lane() / 4;
    for (unsigned i = 0; i < 2; ++i) {
      const float peak = highest(scores, i);
      if (lane() % 4 == 0) memory_.peaks[warp()][row + 8 * i] = peak;
    }
    __syncthreads();
    float exponents[2];
    for (unsigned i = 0; i < 2; ++i) {
      float peak = memory_.peaks[0][row + 8 * i];
      for (unsigned w = 1; w < warps_per_block; ++w)
        peak = fmaxf(peak, memory_.peaks[w][row + 8 * i]);
      exponents[i] = rule_.exponent(peak, own.exponents[i]);
    }
    own.rescale(exponents);
    auto* to =
        memory_.weights + row * decode_memory<Dim>::weight_stride + warp() * warp_tokens + lane() % 4 * 2;
    for (unsigned n = 0; n < score_groups; ++n)
      for (unsigned i = 0; i < 2; ++i)
        *reinterpret_cast<std::uint32_t*>(to + 8 * i * decode_memory<Dim>::weight_stride + n * 8) = to_pair(
            rule_.weight(scores[n][2 * i], exponents[i]), rule_.weight(scores[n][2 * i + 1], exponents[i]));
    __syncthreads();
  }

  /// Calls `take(query, register of its row, group of dimensions, dimension)` for what this lane has summed,
  /// two neighbouring dimensions at a time.
  template <class Take>
  __device__ void for_pairs(const Take& take) {
    for (unsigned i = 0; i < 2; ++i) {
      const auto query = lane() / 4 + 8 * i;
      if (!queries_.has(query)) continue;
      for (unsigned n = 0; n < groups; ++n) {
        const auto d = warp() * warp_dims + n * 8 + lane() % 4 * 2;
        if (d < a_.head_dim) take(query, i, n, d);
      }
    }
  }

  __device__ void finish(const state& all) {
    for_pairs([&](auto query, auto i, auto n, auto d) {
      auto* y = a_.y + queries_.row(query) * a_.y_stride + std::size_t{queries_.head(query)} * a_.head_dim;
      store_pair(y + d, all.sums[n][2 * i] / all.totals[2 * i], all.sums[n][2 * i + 1] / all.totals[2 * i],
                 d + 1 < a_.head_dim);
    });
  }

  __device__ void leave(const state& own, std::uint32_t span) {
    for_pairs([&](auto query, auto i, auto n, auto d) {
      const partial_sums to(a_, rows_, item_, queries_.head(query));
      auto* sums = to.sums + std::size_t{span} * a_.head_dim + d;
      sums[0] = own.sums[n][2 * i];
      if (d + 1 < a_.head_dim) sums[1] = own.sums[n][2 * i + 1];
      if (d != 0) return;
      to.rest[span * 2] = own.exponents[i];
      to.rest[span * 2 + 1] = own.totals[2 * i];
    });
  }

  const attention_args& a_;
  const decode_rows& rows_;
  score_rule rule_;
  decode_memory<Dim>& memory_;
  packed_queries queries_;
  const bfloat* head_;
  const std::uint32_t* table_;
  seen_positions seen_;
  std::uint32_t item_, at_ = 0, end_ = 0;
  unsigned buffer_ = 0;
};

template <unsigned Dim>
__global__ void __launch_bounds__(threads)
    decode_kernel(attention_args a, decode_rows rows, std::uint32_t pack) {
  wait_for_previous();
  decoder<Dim>(a, rows, pack).run();
  let_next_begin();
}

/// A block per (head, row), a thread per dimension.
__global__ void __launch_bounds__(max_head_dim) join_kernel(attention_args a, decode_rows rows) {
  wait_for_previous();
  const auto item = blockIdx.y, head = blockIdx.x, d = threadIdx.x;
  const auto row = rows.rows ? rows.rows[item] : item;
  const row_spans spans(seen_from(a.tables.positions[row], a.window), rows.parts);
  const partial_sums from(a, rows, item, head);
  if (d < a.head_dim) {
    float sum = from.sums[d], exponent = from.rest[0], total = from.rest[1];
    for (auto span = spans.per_part; span < spans.count; ++span) {
      const joining both(exponent, from.rest[span * 2]);
      exponent = both.exponent;
      sum = both.of(sum, from.sums[std::size_t{span} * a.head_dim + d]);
      total = both.of(total, from.rest[span * 2 + 1]);
    }
    a.y[row * a.y_stride + std::size_t{head} * a.head_dim + d] = to_bfloat(sum / total);
  }
  let_next_begin();
}

template <unsigned Dim>
result<void> decode(const attention_args& a, const decode_rows& rows, const stream& s) {
  const auto group = a.heads / a.kv_heads;
  const auto pack = std::min(group, queries_at_once);
  const launch_shape shape{dim3(rows.parts, a.kv_heads * parts_of(group, pack), rows.count), dim3(threads),
                           sizeof(decode_memory<Dim>)};
  return launch("attention", s, shape, decode_kernel<Dim>, a, rows, pack);
}

}  // namespace

std::uint32_t attention_parts(std::uint32_t rows, std::uint32_t kv_heads, std::uint32_t max_positions,
                              std::uint32_t multiprocessors) noexcept {
  constexpr std::uint32_t blocks_per_multiprocessor = 2;
  const auto blocks = std::max(1u, rows * kv_heads);
  const auto spans = std::max(1u, parts_of(max_positions, span_tokens));
  return std::clamp(parts_of(blocks_per_multiprocessor * multiprocessors, blocks), 1u, spans);
}

std::uint64_t attention_partial_floats(std::uint32_t rows, std::uint32_t heads, std::uint32_t head_dim,
                                       std::uint32_t max_positions) noexcept {
  return std::uint64_t{rows} * heads * parts_of(max_positions, span_tokens) * (head_dim + 2);
}

result<void> attend_decode(const attention_args& a, const decode_rows& rows, const stream& s) {
  const auto done = for_head_dim(a.kv.padded_dim, [&](auto dim) { return decode<dim()>(a, rows, s); });
  if (!done || rows.parts == 1) return done;
  const launch_shape shape{dim3(a.heads, rows.count),
                           dim3((a.head_dim + warp_lanes - 1) / warp_lanes * warp_lanes), 0, true};
  return launch("attention", s, shape, join_kernel, a, rows);
}

}  // namespace lorica::gpu
