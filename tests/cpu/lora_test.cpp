#include "cpu/lora.hpp"

#include "tests/catch.hpp"
#include "tests/cpu/kernel_inputs.hpp"

using namespace lorica;
using namespace lorica::testing;

namespace {

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
  auto stored_a = stored(dtype, a);
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
  // A row alone, and every rank alone, give the same bits.
  auto last = stored(dtype, std::vector<float>(x.end() - stride, x.end()));
  auto alone = shrink_with(which, dtype, last, stored_a, scaling, 1, depth, stride);
  for (std::uint32_t j = 0; j < ranks; ++j) {
    auto among = u.value(std::size_t{rows - 1} * (ranks + 2) + j);
    CHECK(alone.value(j) == among);
    elements one(dtype, 1);
    kernels_for(which, dtype)
        .shrink({last.at(0), stride, 1, stored_a.at(std::size_t{j} * depth), depth, 1, &scaling[j], 0.75f,
                 one.at(0), 1});
    CHECK(one.value(0) == among);
  }
}
