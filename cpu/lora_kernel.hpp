#pragma once

// Body of lora.hpp for one set of instructions; included after format_kernel.hpp.
//
// M rows of X and J rows of A give M * J sums that stay in registers over the whole depth. The lanes run over
// k, so that A is read as it lies and no rank is padded to a block of outputs.

namespace lorica {
namespace {

template <class Format, int M, int J>
void shrink_tile(const shrink_args& a, std::uint32_t row, std::uint32_t rank) {
  using element = typename Format::element;
  const auto* x = static_cast<const element*>(a.x) + row * a.x_stride;
  const auto* w = static_cast<const element*>(a.a) +
                  std::size_t{rank} * a.depth;  // of tile: [depth / row_step][J][row_step]
  vec sums[M][J];
  for (int m = 0; m < M; ++m)
    for (int j = 0; j < J; ++j)
      sums[m][j] = zero();
  for (std::uint32_t k = 0; k < a.depth; k += Format::row_step) {
    typename Format::weights ws[J];
    for (int j = 0; j < J; ++j)
      __builtin_prefetch(w + std::size_t{k} * J + std::size_t(j) * Format::row_step +
                         bytes_ahead / sizeof(element));
    for (int j = 0; j < J; ++j)
      ws[j] = Format::load_weights(w + std::size_t{k} * J + std::size_t(j) * Format::row_step);
    for (int m = 0; m < M; ++m) {
      const auto xs = Format::load_weights(x + std::size_t(m) * a.x_stride + k);
      for (int j = 0; j < J; ++j)
        sums[m][j] = Format::step(ws[j], xs, sums[m][j]);
    }
  }
  for (int m = 0; m < M; ++m)
    for (int j = 0; j < J; ++j) {
      const float scaling = a.scaling ? a.scaling[rank + std::uint32_t(j)] : 1.0f;
      const float product = sum(sums[m][j]) * scaling * a.weight;
      float lanes[16] = {product};
      element narrow[16];
      Format::store_values(narrow, load(lanes));
      auto* u = static_cast<element*>(a.u) + (row + std::size_t(m)) * a.u_stride;
      u[rank + std::uint32_t(j)] = narrow[0];
    }
}

template <class Format, int M>
void shrink_rows(const shrink_args& a, std::uint32_t row) {
  std::uint32_t rank = 0;
  for (; rank + rank_tile <= a.ranks; rank += rank_tile)
    shrink_tile<Format, M, rank_tile>(a, row, rank);
  switch (a.ranks - rank) {
    case 3: return shrink_tile<Format, M, 3>(a, row, rank);
    case 2: return shrink_tile<Format, M, 2>(a, row, rank);
    case 1: return shrink_tile<Format, M, 1>(a, row, rank);
    default: return;
  }
}

template <class Format>
void shrink(const shrink_args& a) {
  std::uint32_t row = 0;
  if constexpr (accumulators >= 16)
    for (; row + 4 <= a.rows; row += 4)
      shrink_rows<Format, 4>(a, row);
  for (; row < a.rows; ++row)
    shrink_rows<Format, 1>(a, row);
}

}  // namespace
}  // namespace lorica
