#pragma once

// What both attention kernels do with a tile of keys and values. They do the same arithmetic in the same
// order, so that a row's bits are the same in both (attention.hpp says which order).

#include <cuda_runtime.h>

#include <cmath>
#include <cstddef>
#include <cstdint>

#include "gpu/attention.hpp"
#include "gpu/lanes.cuh"

namespace lorica::gpu {

/// Sizes for heads of up to `Dim` dimensions, a multiple of 32.
template <unsigned Dim>
struct head_tile {
  /// Positions that are weighed together: a span is whole tiles.
  static constexpr unsigned tokens = Dim > 128 ? 32 : 64;
  /// Elements from one token to the next in shared memory: 16 bytes more than a head, so that eight rows of a
  /// matrix lie in different banks.
  static constexpr unsigned stride = Dim + 8;
  static constexpr unsigned elements = tokens * stride;
  static_assert(Dim % warp_lanes == 0 && span_tokens % tokens == 0);
};

/// Of a row that has seen nothing yet: lower than any exponent, and finite.
inline constexpr float no_exponent = -1e30f;

/// Positions [from, until).
struct seen_positions {
  std::uint32_t from = 0, until = 0;
  __device__ bool has(std::uint32_t position) const { return position >= from && position < until; }
};

__device__ inline seen_positions seen_from(std::uint32_t position, std::uint32_t window) {
  return {window != 0 && position + 1 > window ? position + 1 - window : 0, position + 1};
}

/// 2^x for an x that is whole and at most 0, exactly; 0 below the normal numbers.
__device__ inline float whole_power(float x) {
  if (!(x >= -126.0f)) return 0.0f;
  return __int_as_float((static_cast<int>(x) + 127) << 23);
}

__device__ inline float power_of_two(float x) {
#ifdef __CUDACC__
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
#else
  return std::exp2(x);
#endif
}

/// Scores as they are compared, whose weights are 2^(unit · score - exponent).
struct score_rule {
  static constexpr float log2_e = 1.44269504088896341f;
  float scale, softcap, unit;

  /// Without a cap, products are scores already.
  __device__ explicit score_rule(const attention_args& a)
      : scale(a.scale), softcap(a.softcap), unit(log2_e * (a.softcap > 0 ? 1.0f : a.scale)) {}

  /// c tanh(x / c), as c - 2c / (1 + exp(2x / c)).
  __device__ float score(float product) const {
    if (softcap <= 0) return product;
    return softcap - __fdividef(2 * softcap, 1.0f + power_of_two(2 * log2_e / softcap * scale * product));
  }
  /// Below the weight of no score; that of the highest is in (1/2, 1].
  __device__ float exponent(float highest, float before) const {
    return fmaxf(before, ceilf(highest * unit));
  }
  __device__ float weight(float score, float exponent) const {
    return power_of_two(__fmaf_rn(score, unit, -exponent));
  }
};

/// A sum relative to 2^exponent and what makes another of it: both factors are powers of two, so one addition
/// rounds and nothing else.
struct joining {
  float exponent, left, right;

  __device__ joining(float a, float b)
      : exponent(fmaxf(a, b)), left(whole_power(a - exponent)), right(whole_power(b - exponent)) {}
  __device__ float of(float a, float b) const { return a * left + b * right; }
};

/// A place that no token of a head has.
inline constexpr std::size_t nowhere = ~std::size_t{0};

/// Where the tokens [at, at + count) of a sequence lie from the beginning of a head, by the first `count`
/// threads; those outside of `seen` lie nowhere. `table` is the sequence's.
__device__ inline void find_tokens(std::size_t* places, const kv_layer& kv, const std::uint32_t* table,
                                   std::uint32_t at, std::uint32_t count, seen_positions seen) {
  if (threadIdx.x >= count) return;
  const auto position = at + threadIdx.x;
  auto place = nowhere;
  if (seen.has(position))
    place = table[position / kv.block_tokens] * kv.block_stride +
            std::size_t{position % kv.block_tokens} * kv.padded_dim;
  places[threadIdx.x] = place;
}

/// Begins to copy the tokens at `places` of one head's keys or values; what is nowhere becomes zero.
template <unsigned Dim>
__device__ inline void copy_tile(bfloat* to, const bfloat* head, const std::size_t* places,
                                 std::uint32_t padded_dim) {
  constexpr unsigned pieces = Dim / 8;
  for (auto i = threadIdx.x; i < head_tile<Dim>::tokens * pieces; i += blockDim.x) {
    const auto token = i / pieces, d = i % pieces * 8;
    const auto place = places[token];
    const bool there = place != nowhere && d < padded_dim;
    copy_async(to + token * head_tile<Dim>::stride + d, there ? head + place + d : head, there ? 16 : 0);
  }
}

/// Query heads of one key-value head, `pack` of them for each of some neighbouring rows: number i is head i %
/// pack of row i / pack.
struct packed_queries {
  std::uint32_t first_row, rows, first_head, heads, pack;

  __device__ bool has(std::uint32_t i) const { return i / pack < rows && i % pack < heads; }
  __device__ std::size_t row(std::uint32_t i) const { return first_row + i / pack; }
  __device__ std::uint32_t head(std::uint32_t i) const { return first_head + i % pack; }
};

/// Begins to copy `count` queries, [count][stride]; those that are none become zero.
template <unsigned Dim>
__device__ inline void copy_queries(bfloat* to, const attention_args& a, const packed_queries& of,
                                    unsigned count) {
  constexpr unsigned pieces = Dim / 8;
  const auto padded = a.kv.padded_dim;
  for (auto j = threadIdx.x; j < count * pieces; j += blockDim.x) {
    const auto i = j / pieces, d = j % pieces * 8;
    const bool there = of.has(i) && d < padded;
    const auto* from = there ? a.q + of.row(i) * a.q_stride + std::size_t{of.head(i)} * padded + d : a.q;
    copy_async(to + i * head_tile<Dim>::stride + d, from, there ? 16 : 0);
  }
}

/// Adds the products of sixteen queries with the keys of 8 Groups tokens, in the order of dimensions.
template <unsigned Dim, unsigned Groups>
__device__ inline void multiply_keys(float (&scores)[Groups][4], const bfloat* queries, const bfloat* keys) {
  constexpr auto stride = head_tile<Dim>::stride;
  const auto* query = queries + lane() % 16 * stride + lane() / 16 * 8;
  const auto* key = keys + lane() % 8 * stride + lane() / 8 * 8;
#pragma unroll
  for (unsigned d = 0; d < Dim; d += 32) {
    std::uint32_t low[4], high[4];
    load_matrices(low, query + d);
    load_matrices(high, query + d + 16);
#pragma unroll
    for (unsigned n = 0; n < Groups; ++n) {
      std::uint32_t of[4];
      load_matrices(of, key + n * 8 * stride + d);
      mma_m16n8k16(scores[n], low, {of[0], of[1]});
      mma_m16n8k16(scores[n], high, {of[2], of[3]});
    }
  }
}

/// Adds the weighted values of 16 Steps tokens to 8 Groups dimensions, and the weights alone to `totals`, in
/// the order of tokens.
template <unsigned Dim, unsigned Groups, unsigned Steps>
__device__ inline void add_values(float (&sums)[Groups][4], float (&totals)[4],
                                  const std::uint32_t (&weights)[Steps][4], const bfloat* values) {
  constexpr auto stride = head_tile<Dim>::stride;
  constexpr std::uint32_t ones = 0x3f803f80;
#pragma unroll
  for (unsigned step = 0; step < Steps; ++step)
    mma_m16n8k16(totals, weights[step], {ones, ones});
#pragma unroll
  for (unsigned step = 0; step < Steps; step += 2) {
    const auto* value = values + (step * 16 + lane()) * stride;
#pragma unroll
    for (unsigned n = 0; n < Groups; ++n) {
      std::uint32_t of[4];
      load_matrices_transposed(of, value + n * 8);
      mma_m16n8k16(sums[n], weights[step], {of[0], of[1]});
      mma_m16n8k16(sums[n], weights[step + 1], {of[2], of[3]});
    }
  }
}

/// Products become scores; those that a lane's two rows do not see become the lowest. `at` is the position of
/// the first token.
template <unsigned Groups>
__device__ inline void score_tokens(float (&scores)[Groups][4], const score_rule& rule, std::uint32_t at,
                                    const seen_positions (&seen)[2]) {
  const auto last = at + 8 * Groups - 1;
  const bool whole = seen[0].has(at) && seen[0].has(last) && seen[1].has(at) && seen[1].has(last);
  if (whole && rule.softcap <= 0) return;  // nothing to be done, mostly
#pragma unroll
  for (unsigned n = 0; n < Groups; ++n)
#pragma unroll
    for (unsigned i = 0; i < 4; ++i) {
      const auto position = at + n * 8 + lane() % 4 * 2 + i % 2;
      scores[n][i] = seen[i / 2].has(position) ? rule.score(scores[n][i]) : -INFINITY;
    }
}

/// The highest score of one of a lane's two rows, over the lanes that share it.
template <unsigned Groups>
__device__ inline float highest(const float (&scores)[Groups][4], unsigned row) {
  float out = -INFINITY;
#pragma unroll
  for (unsigned n = 0; n < Groups; ++n)
    out = fmaxf(out, fmaxf(scores[n][2 * row], scores[n][2 * row + 1]));
  return max_lanes<4>(out);
}

/// Two neighbouring outputs.
__device__ inline void store_pair(bfloat* y, float first, float second, bool both) {
  if (both && reinterpret_cast<std::uintptr_t>(y) % 4 == 0) {
    *reinterpret_cast<std::uint32_t*>(y) = to_pair(first, second);
    return;
  }
  y[0] = to_bfloat(first);
  if (both) y[1] = to_bfloat(second);
}

/// Calls `run` with the smallest `Dim` that holds heads of `head_dim`, as a constant.
template <class Run>
result<void> for_head_dim(std::uint32_t head_dim, const Run& run) {
  if (head_dim <= 32) return run(std::integral_constant<unsigned, 32>());
  if (head_dim <= 64) return run(std::integral_constant<unsigned, 64>());
  if (head_dim <= 96) return run(std::integral_constant<unsigned, 96>());
  if (head_dim <= 128) return run(std::integral_constant<unsigned, 128>());
  if (head_dim <= max_head_dim) return run(std::integral_constant<unsigned, max_head_dim>());
  return fail(errc::internal, "a head is wider than the attention kernels take");
}

}  // namespace lorica::gpu
