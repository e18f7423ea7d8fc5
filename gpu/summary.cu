// Peak, its place and the sum of exp(x - peak) of every piece; shapes in summary.hpp. A warp per piece: lanes
// walk over the logits l, l + 32, … twice, the second time from the caches; sums are joined as a tree.
#include "gpu/summary.hpp"

#include "gpu/block_sum.cuh"
#include "gpu/exponential.cuh"
#include "gpu/launch.cuh"
#include "gpu/peak.cuh"

namespace lorica::gpu {
namespace {

constexpr unsigned pieces_per_block = 4;
constexpr unsigned threads = pieces_per_block * warp_lanes;

__global__ void __launch_bounds__(threads) summary_kernel(summary_args a) {
  wait_for_previous();
  const std::uint32_t count = summary_pieces(a.vocab), piece = blockIdx.x * pieces_per_block + warp();
  if (piece >= count) return;
  const std::size_t row = blockIdx.y;
  const std::uint32_t first = piece * summary_logits, last = min(first + summary_logits, a.vocab);
  const auto known = a.token_ids == 0 ? a.vocab : a.token_ids;
  const float* x = a.x + row * a.x_stride;
  peak_place any, chosen;
  for (auto id = first + lane(); id < last; id += warp_lanes) {
    any.offer(x[id], id);
    if (id < known) chosen.offer(x[id], id);
  }
  any = any.of_warp();
  chosen = chosen.of_warp();
  const bool empty = !(any.peak > minus_infinity);
  double sum = 0;
  for (auto id = first + lane(); id < last; id += warp_lanes)
    sum += static_cast<double>(exp_of_negative(empty ? x[id] : __fadd_rn(x[id], -any.peak)));
  sum = sum_warp(sum);
  if (lane() == 0)
    a.pieces[row * count + piece] = {sum, any.peak, any.token(), chosen.peak, chosen.token_above()};
}

}  // namespace

result<void> summarise(const summary_args& a, const stream& s) {
  const auto blocks = (summary_pieces(a.vocab) + pieces_per_block - 1) / pieces_per_block;
  return launch("summary", s, {dim3(blocks, a.rows), dim3(threads)}, summary_kernel, a);
}

}  // namespace lorica::gpu
