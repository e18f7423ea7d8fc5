#include "gpu/gemm.hpp"

#include "tests/gpu/test_device.hpp"

using namespace lorica;
using namespace lorica::testing;
using gpu::bfloat;
using gpu::gemm_into;
using gpu::number_format;

namespace {

struct inputs {
  std::uint32_t rows, depth, outputs;
  std::vector<float> x, weights, bias, before;

  inputs(std::uint32_t rows_, std::uint32_t depth_, std::uint32_t outputs_)
      : rows(rows_),
        depth(depth_),
        outputs(outputs_),
        x(exact_numbers(std::size_t{rows} * (depth + 8), 1)),
        weights(exact_numbers(std::size_t{outputs} * depth, 2)),
        bias(exact_numbers(outputs, 3)),
        before(exact_numbers(std::size_t{rows} * (outputs + 8), 4)) {}

  double expected(std::size_t row, std::size_t out, bool with_bias, bool added) const {
    double sum = with_bias ? static_cast<double>(bias[out]) : 0;
    if (added) sum += static_cast<double>(before[row * (outputs + 8) + out]);
    for (std::size_t k = 0; k < depth; ++k)
      sum += static_cast<double>(x[row * (depth + 8) + k]) * static_cast<double>(weights[out * depth + k]);
    return sum;
  }
};

gpu::gemm_args args_of(test_device& d, const inputs& in, number_format format) {
  gpu::gemm_args a;
  a.x = d.put(as_bfloat(in.x));
  a.x_stride = in.depth + 8;
  a.rows = in.rows;
  a.weights = d.put(as_bfloat(in.weights));
  a.depth = in.depth;
  a.outputs = in.outputs;
  a.y = format == number_format::float32 ? static_cast<void*>(d.put(in.before)) : d.put(as_bfloat(in.before));
  a.y_stride = in.outputs + 8;
  a.format = format;
  return a;
}

std::vector<float> result_of(test_device& d, const gpu::gemm_args& a) {
  const auto count = a.rows * a.y_stride;
  if (a.format == number_format::float32) return d.get(static_cast<const float*>(a.y), count);
  return as_float(d.get(static_cast<const bfloat*>(a.y), count));
}

const gpu::gemm_options small_workspace{std::uint64_t{4} << 20};

}  // namespace

TEST_CASE("a product is the sum of products, with bias, stored or added, in both formats") {
  auto d = open_test_device();
  if (!d) return;
  auto format = GENERATE(number_format::float32, number_format::bfloat16);
  auto into = GENERATE(gemm_into::store, gemm_into::add);
  auto with_bias = GENERATE(false, true);
  auto [rows, depth, outputs] =
      GENERATE(table<std::uint32_t, std::uint32_t, std::uint32_t>({{1, 64, 40}, {7, 40, 24}, {33, 576, 16}}));
  INFO(rows << " rows, depth " << depth << ", outputs " << outputs << " bias " << with_bias);
  inputs in(rows, depth, outputs);
  auto products = must(gpu::gemm::create(d->memory, small_workspace));
  auto a = args_of(*d, in, format);
  a.into = into;
  if (with_bias)
    a.bias =
        format == number_format::float32 ? static_cast<void*>(d->put(in.bias)) : d->put(as_bfloat(in.bias));
  must(products.run(a, d->stream));
  auto y = result_of(*d, a);
  for (std::size_t row = 0; row < rows; ++row) {
    for (std::size_t out = 0; out < outputs; ++out) {
      const double expected = in.expected(row, out, with_bias, into == gemm_into::add);
      const double size = std::abs(expected) + std::sqrt(depth);
      REQUIRE(std::abs(static_cast<double>(y[row * a.y_stride + out]) - expected) <
              (format == number_format::float32 ? float_tolerance(size) : bfloat_tolerance(size)));
    }
    for (std::size_t out = outputs; out < a.y_stride; ++out)
      REQUIRE(y[row * a.y_stride + out] == in.before[row * a.y_stride + out]);
  }
}

TEST_CASE("with pinned algorithms a row's bits do not depend on the number of rows") {
  auto d = open_test_device();
  if (!d) return;
  auto format = GENERATE(number_format::float32, number_format::bfloat16);
  inputs in(64, 576, 136);
  auto options = small_workspace;
  options.pinned_rows = 32;
  auto products = must(gpu::gemm::create(d->memory, options));
  auto a = args_of(*d, in, format);
  must(products.run(a, d->stream));
  const auto all = result_of(*d, a);
  for (std::uint32_t rows : {1u, 2u, 7u, 16u, 33u}) {
    for (std::uint32_t first : {0u, 5u}) {
      auto b = a;
      b.rows = rows;
      b.x = a.x + first * a.x_stride;
      b.y = format == number_format::float32 ? static_cast<void*>(d->room<float>(rows * a.y_stride))
                                             : d->room<bfloat>(rows * a.y_stride);
      must(products.run(b, d->stream));
      const auto some = result_of(*d, b);
      for (std::size_t row = 0; row < rows; ++row)
        for (std::size_t out = 0; out < a.outputs; ++out)
          REQUIRE(some[row * a.y_stride + out] == all[(row + first) * a.y_stride + out]);
    }
  }
}

TEST_CASE("shapes are remembered, up to a bound") {
  auto d = open_test_device();
  if (!d) return;
  inputs in(6, 40, 24);
  auto options = small_workspace;
  options.plans = 4;
  auto products = must(gpu::gemm::create(d->memory, options));
  auto a = args_of(*d, in, number_format::float32);
  for (std::uint32_t rows : {1u, 2u, 1u, 2u, 0u}) {
    a.rows = rows;
    must(products.run(a, d->stream));
  }
  CHECK(products.plans() == 2);
  for (std::uint32_t rows : {3u, 4u}) {
    a.rows = rows;
    must(products.prepare(a));
  }
  CHECK(products.plans() == 4);
  a.rows = 5;
  must(products.run(a, d->stream));
  CHECK(products.plans() == 1);
}

TEST_CASE("a workspace that the arena does not hold is told by its name") {
  auto d = open_test_device();
  if (!d) return;
  auto options = small_workspace;
  options.workspace_bytes = test_memory + 1;
  auto products = gpu::gemm::create(d->memory, options, "products of the side stream");
  REQUIRE_FALSE(products);
  CHECK(products.error().code == errc::out_of_memory);
  CHECK(products.error().text.find("'products of the side stream'") != std::string::npos);
}
