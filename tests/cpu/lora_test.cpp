#include "cpu/lora.hpp"

#include "tests/catch.hpp"
#include "tests/cpu/kernel_inputs.hpp"

using namespace lorica;
using namespace lorica::testing;

namespace {

/// A row by row to A in the layout of the kernel.
elements tiled(cpu_dtype dtype, const std::vector<float>& a, std::uint32_t ranks, std::uint32_t depth) {
  elements out(dtype, a.size());
  const std::size_t run = dtype == cpu_dtype::float32 ? 16 : 32;
  std::size_t next = 0;
  for (std::uint32_t tile = 0; tile < ranks; tile += 4)
    for (std::size_t k = 0; k < depth; k += run)
      for (std::uint32_t j = tile; j < std::min(tile + 4, ranks); ++j)
        for (std::size_t i = 0; i < run; ++i)
          out.set(next++, a[j * depth + k + i]);
  return out;
}

elements shrink_with(isa which, cpu_dtype dtype, elements& x, elements& a, const std::vector<float>& scaling,
                     std::uint32_t rows, std::uint32_t depth, std::uint32_t stride) {
  auto ranks = static_cast<std::uint32_t>(scaling.size());
  elements u(dtype, std::size_t{rows} * (ranks + 2));
  kernels_for(which, dtype)
      .shrink({x.at(0), stride, rows, a.at(0), depth, ranks, scaling.data(), 0.75f, u.at(0), ranks + 2});
  return u;
}

}  // namespace

TEST_CASE("the low-rank inputs equal the scaled sums of products for any rank") {
  auto dtype = GENERATE(cpu_dtype::float32, cpu_dtype::bfloat16);
  auto which = GENERATE(from_range(other_instructions()));
  auto rows = GENERATE(1u, 3u, 4u, 9u);
  auto ranks = GENERATE(1u, 2u, 3u, 8u, 13u, 48u);
  auto depth = GENERATE(32u, 64u, 576u);
  INFO(to_string(which) << ' ' << to_string(dtype) << ' ' << rows << " x " << depth << " x " << ranks);
  const auto stride = depth + 32;
  auto x = some_numbers(std::size_t{rows} * stride, 21);
  auto a = some_numbers(std::size_t{ranks} * depth, 22);
  auto scaling = some_numbers(ranks, 23);
  auto stored_x = stored(dtype, x);
  auto stored_a = tiled(dtype, a, ranks, depth);
  auto u = shrink_with(which, dtype, stored_x, stored_a, scaling, rows, depth, stride);
  for (std::uint32_t m = 0; m < rows; ++m)
    for (std::uint32_t j = 0; j < ranks; ++j) {
      double sum = 0;
      for (std::uint32_t k = 0; k < depth; ++k)
        sum += static_cast<double>(x[m * stride + k]) * static_cast<double>(a[j * depth + k]);
      sum *= static_cast<double>(scaling[j]) * 0.75;
      auto got = static_cast<double>(u.value(std::size_t{m} * (ranks + 2) + j));
      CHECK(std::abs(got - sum) < tolerance(dtype, std::abs(sum)));
    }
  // Without scaling, for merges.
  elements bare(dtype, std::size_t{rows} * (ranks + 2));
  kernels_for(which, dtype)
      .shrink({stored_x.at(0), stride, rows, stored_a.at(0), depth, ranks, nullptr, 0.75f, bare.at(0),
               ranks + 2});
  auto ones =
      shrink_with(which, dtype, stored_x, stored_a, std::vector<float>(ranks, 1.0f), rows, depth, stride);
  for (std::uint32_t i = 0; i < rows * (ranks + 2); ++i)
    CHECK(bare.value(i) == ones.value(i));
  // A row alone, and a tile of ranks alone, give the same bits.
  auto last = stored(dtype, std::vector<float>(x.end() - stride, x.end()));
  auto alone = shrink_with(which, dtype, last, stored_a, scaling, 1, depth, stride);
  for (std::uint32_t j = 0; j < ranks; ++j)
    CHECK(alone.value(j) == u.value(std::size_t{rows - 1} * (ranks + 2) + j));
  const auto begin = (ranks - 1) / 4 * 4;
  elements part(dtype, 4);
  kernels_for(which, dtype)
      .shrink({last.at(0), stride, 1, stored_a.at(std::size_t{begin} * depth), depth, ranks - begin,
               scaling.data() + begin, 0.75f, part.at(0), 4});
  for (std::uint32_t j = begin; j < ranks; ++j)
    CHECK(part.value(j - begin) == alone.value(j));
}
