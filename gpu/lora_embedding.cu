// x = (E_token + sum of B u) * scale for rows whose adapters change embeddings, formula and shapes in
// lora_embedding.hpp. Blocks by row and 1024 columns, a thread has 8 neighbouring columns. Inputs u pass
// through shared memory, 64 ranks at a time; a column is one chain over uses and ranks in order.
#include "gpu/lora_embedding.hpp"

#include "gpu/lanes.cuh"
#include "gpu/launch.cuh"

namespace lorica::gpu {
namespace {

constexpr unsigned embedding_threads = 128;
constexpr unsigned thread_columns = 8;
constexpr unsigned block_columns = embedding_threads * thread_columns;
constexpr unsigned ranks_at_once = 64;

__device__ const adapter_embedding& embedding_of(const lora_embedding_args& a, std::uint32_t use) {
  return a.adapters.embeddings[a.segments.uses[use].slot];
}

__device__ bool changes(const lora_embedding_args& a, const lora_segment& s) {
  bool out = embedding_of(a, s.first_use).table != nullptr;
  for (std::uint32_t use = s.first_use; use < s.first_use + s.uses; ++use)
    out |= embedding_of(a, use).rank != 0;
  return out;
}

/// u of one use.
__device__ float input_of(const lora_embedding_args& a, const lora_segment& s, std::uint32_t use,
                          std::size_t token, std::uint32_t rank) {
  const auto& e = embedding_of(a, use);
  const float weight = a.segments.uses[use].weight;
  if (!s.merged) return to_float(e.a[token * e.rank + rank]) * e.scaling * weight;
  float sum = 0;
  for (std::uint32_t other = s.first_use; other < s.first_use + s.uses; ++other) {
    const auto& o = embedding_of(a, other);
    if (rank < o.rank) sum += to_float(o.a[token * o.rank + rank]) * a.segments.uses[other].weight;
  }
  return sum * (s.merge_scaling * weight);
}

/// What all uses add to the thread's columns, of which `count` are there.
__device__ void add_uses(const lora_embedding_args& a, const lora_segment& s, std::size_t token,
                         std::uint32_t column, unsigned count, float* u, float (&x)[thread_columns]) {
  for (std::uint32_t use = s.first_use; use < s.first_use + s.uses; ++use) {
    const auto& e = embedding_of(a, use);
    for (std::uint32_t first = 0; first < e.rank; first += ranks_at_once) {
      const auto ranks = e.rank - first < ranks_at_once ? e.rank - first : ranks_at_once;
      if (threadIdx.x < ranks)
        u[threadIdx.x] = to_float(to_bfloat(input_of(a, s, use, token, first + threadIdx.x)));
      __syncthreads();
      for (unsigned r = 0; r < ranks; ++r) {
        const auto* b = e.b + std::size_t{first + r} * e.b_stride + column;
        for (unsigned i = 0; i < thread_columns; ++i)
          if (i < count) x[i] += u[r] * to_float(b[i]);
      }
      __syncthreads();
    }
  }
}

template <class Element>
__global__ void __launch_bounds__(embedding_threads) embedding_kernel(lora_embedding_args a) {
  __shared__ float u[ranks_at_once];
  const std::size_t row = blockIdx.y;
  const auto segment = a.segments.segment_of[row];
  if (segment == no_segment) return;
  const lora_segment s = a.segments.segments[segment];
  const auto token = static_cast<std::uint32_t>(a.tokens[row]);
  if (token >= a.vocab || !changes(a, s)) return;
  const auto* own = embedding_of(a, s.first_use).table;
  const auto* from = (own ? own : a.table) + std::size_t{token} * a.width;
  const auto column = blockIdx.x * block_columns + threadIdx.x * thread_columns;
  const auto left = column < a.width ? a.width - column : 0;
  const unsigned count = left < thread_columns ? left : thread_columns;
  float x[thread_columns];
  for (unsigned i = 0; i < thread_columns; ++i)
    x[i] = i < count ? to_float(from[column + i]) : 0.0f;
  add_uses(a, s, token, column, count, u, x);
  auto* to = static_cast<Element*>(a.x) + row * a.x_stride + column;
  for (unsigned i = 0; i < thread_columns; ++i)
    if (i < count) to[i] = stored<Element>(x[i] * a.scale);
}

}  // namespace

result<void> lora_embed(const lora_embedding_args& a, const stream& s) {
  const launch_shape shape{dim3((a.width + block_columns - 1) / block_columns, a.rows),
                           dim3(embedding_threads)};
  if (a.format == number_format::float32) return launch("lora_embed", s, shape, embedding_kernel<float>, a);
  return launch("lora_embed", s, shape, embedding_kernel<bfloat>, a);
}

}  // namespace lorica::gpu
