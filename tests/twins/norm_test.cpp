#include "gpu/norm.hpp"

#include "cpu/kernels.hpp"
#include "cpu/packed_weights.hpp"
#include "tests/gpu/test_device.hpp"

using namespace lorica;
using namespace lorica::testing;

namespace {

/// Units of the last place between two bfloat16.
int apart(std::uint16_t a, gpu::bfloat b) {
  auto order = [](std::uint16_t bits) { return bits & 0x8000 ? -(bits & 0x7fff) : int{bits}; };
  return std::abs(order(a) - order(b.bits));
}

}  // namespace

TEST_CASE("both executors norm a row to the same numbers but for rounding") {
  auto d = open_test_device();
  if (!d) return;
  auto width = GENERATE(1u, 31u, 40u, 576u, 2048u);
  INFO(width << " wide");
  const auto padded = padded_depth(width);
  auto x = exact_numbers(padded, 31), weight = exact_numbers(padded, 32);
  std::fill(x.begin() + width, x.end(), 0.0f);
  std::fill(weight.begin() + width, weight.end(), 0.0f);
  std::vector<std::uint16_t> on_cpu(padded);
  kernels_for(isa::portable, cpu_dtype::bfloat16)
      .norm({x.data(), weight.data(), width, padded, 1e-5f, on_cpu.data()});
  gpu::norm_args a;
  a.x = d->put(x);
  a.weight = d->put(weight);
  a.rows = 1;
  a.width = width;
  a.x_stride = a.y_stride = padded;
  a.epsilon = 1e-5f;
  a.y = d->room<gpu::bfloat>(padded);
  must(gpu::norm(a, d->stream));
  const auto on_gpu = d->get(a.y, width);
  for (std::size_t k = 0; k < width; ++k)
    CHECK(apart(on_cpu[k], on_gpu[k]) <= 1);
}

TEST_CASE("both executors add a normed branch to the same numbers but for rounding") {
  auto d = open_test_device();
  if (!d) return;
  constexpr std::uint32_t width = 576;
  auto branch = exact_numbers(width, 31), weight = exact_numbers(width, 32), x = exact_numbers(width, 33);
  auto on_cpu = x;
  kernels_for(isa::portable, cpu_dtype::bfloat16)
      .norm_add({branch.data(), weight.data(), width, width, 1e-5f, on_cpu.data()});
  gpu::norm_args a;
  auto* rows = d->put(x);
  a.x = rows;
  a.branch = d->put(as_bfloat(branch));
  a.weight = d->put(weight);
  a.rows = 1;
  a.width = width;
  a.x_stride = a.branch_stride = width;
  a.epsilon = 1e-5f;
  must(gpu::norm_add(a, d->stream));
  const auto on_gpu = d->get(rows, width);
  for (std::size_t k = 0; k < width; ++k)
    CHECK(std::abs(static_cast<double>(on_gpu[k]) - static_cast<double>(on_cpu[k])) < 2e-6);
}
