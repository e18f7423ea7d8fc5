// y = x after rules and penalties; shapes in adjustment.hpp. A block per tile of 4096 ids: it counts the
// tile's ids in the row's history in shared memory (integers, so no order matters), then changes every logit
// once, in the order of `engine/sampler`, and rounds as it does.
#include "gpu/adjustment.hpp"

#include "gpu/lanes.cuh"
#include "gpu/launch.cuh"
#include "gpu/peak.cuh"

namespace lorica::gpu {
namespace {

constexpr unsigned warps_per_tile = 4;
constexpr unsigned threads = warps_per_tile * warp_lanes;
constexpr std::uint32_t tile_logits = warps_per_tile * summary_logits;

// A count of generated tokens; the bit says that the id occurs at all.
constexpr std::uint32_t occurs = std::uint32_t{1} << 31;
constexpr float largest = 3.402823466e38f;

/// What the tile's logits are changed by.
struct tile_changes {
  std::uint32_t counts[tile_logits];
  float biases[tile_logits];
};

__device__ void collect(const adjustment_args& a, const sampling_row& r, std::uint32_t first,
                        tile_changes& t) {
  for (auto i = threadIdx.x; i < tile_logits; i += threads) {
    t.counts[i] = 0;
    t.biases[i] = 0;
  }
  __syncthreads();
  const auto* history = a.history + r.slot * a.history_stride;
  for (auto i = threadIdx.x; i < r.history; i += threads) {
    const auto at = static_cast<std::uint32_t>(history[i]) - first;
    if (at >= tile_logits) continue;
    atomicOr(&t.counts[at], occurs);
    if (i >= r.prompt_tokens) atomicAdd(&t.counts[at], 1u);
  }
  for (auto i = threadIdx.x; i < r.biases; i += threads) {
    const auto* bias = a.words + r.first_bias + 2 * i;
    const auto at = bias[0] - first;
    if (at < tile_logits) t.biases[at] = __uint_as_float(bias[1]);
  }
  __syncthreads();
  for (auto i = threadIdx.x; i < r.banned; i += threads) {
    const auto at = a.words[r.first_banned + i] - first;
    if (at < tile_logits) t.biases[at] = minus_infinity;
  }
  __syncthreads();
}

__device__ bool holds(const std::uint32_t* mask, std::uint32_t id) {
  return (mask[id / 32] >> (id % 32) & 1) != 0;
}

/// A finite logit of a token that occurred; extreme penalties make no infinities.
__device__ float repeated(float x, float penalty) {
  const float out = x > 0 ? x / penalty : __fmul_rn(x, penalty);
  return out < -largest ? -largest : largest < out ? largest : out;
}

__device__ float penalised(float x, std::uint32_t count, const sampling_row& r) {
  if (count == 0) return x;
  if (r.repetition_penalty != 1 && fabsf(x) <= largest) x = repeated(x, r.repetition_penalty);
  const auto generated = count & ~occurs;
  if (generated == 0) return x;
  x = __fadd_rn(x, -__fmul_rn(r.frequency_penalty, static_cast<float>(generated)));
  return __fadd_rn(x, -r.presence_penalty);
}

__global__ void __launch_bounds__(threads) adjustment_kernel(adjustment_args a) {
  __shared__ tile_changes t;
  wait_for_previous();
  const std::size_t row = blockIdx.y;
  const auto r = a.readings[row];
  if (r.kind != reading_kind::choose || r.adjusted == 0) return;
  const std::uint32_t tile = blockIdx.x * tile_logits;
  collect(a, r, tile, t);
  const std::uint32_t piece = tile / summary_logits + warp(), pieces = summary_pieces(a.vocab);
  if (piece >= pieces) return;
  const auto* allowed = r.allowed == sampling_row::no_mask ? nullptr : a.words + r.allowed;
  const auto* marked = r.marked == sampling_row::no_mask ? nullptr : a.words + r.marked;
  const auto known = a.token_ids == 0 ? a.vocab : a.token_ids;
  const std::uint32_t first = piece * summary_logits, last = min(first + summary_logits, a.vocab);
  const float* x = a.x + row * a.x_stride;
  float* y = a.y + row * a.y_stride;
  peak_place chosen;
  for (auto id = first + lane(); id < last; id += warp_lanes) {
    float v = allowed && !holds(allowed, id) ? minus_infinity : x[id];
    v = __fadd_rn(v, t.biases[id - tile]);
    if (marked && holds(marked, id)) v = __fadd_rn(v, r.delta);
    v = penalised(v, t.counts[id - tile], r);
    y[id] = v;
    if (id < known) chosen.offer(v, id);
  }
  chosen = chosen.of_warp();
  if (lane() != 0) return;
  auto& out = a.pieces[row * pieces + piece];
  out.chosen_peak = chosen.peak;
  out.chosen = chosen.token_above();
}

}  // namespace

result<void> adjust(const adjustment_args& a, const stream& s) {
  const auto tiles = (a.vocab + tile_logits - 1) / tile_logits;
  return launch("adjustment", s, {dim3(tiles, a.rows), dim3(threads)}, adjustment_kernel, a);
}

}  // namespace lorica::gpu
