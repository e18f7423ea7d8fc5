#include "gpu/row_codes.hpp"

#include "gpu/norm.hpp"
#include "gpu/scaled_products.hpp"
#include "tests/gpu/test_device.hpp"

using namespace lorica;
using namespace lorica::testing;
using gpu::bfloat;
using gpu::e4m3;

namespace {

constexpr std::size_t gap = 16;  // strides are wider than rows

/// Half a step of e4m3: of the three bits of a number's mantissa, or of the least numbers; and the
/// division's.
double code_tolerance(double x, double scale) {
  return std::max(std::abs(x) / 16, scale / 1024) * (1 + 1e-6);
}

gpu::row_codes_args args_of(test_device& d, const std::vector<float>& x, std::uint32_t rows,
                            std::uint32_t width) {
  gpu::row_codes_args a;
  a.x = d.put(as_bfloat(x));
  a.x_stride = a.codes_stride = width + gap;
  a.rows = rows;
  a.width = width;
  a.codes = d.room<e4m3>(rows * a.codes_stride);
  a.scales = d.room<float>(rows);
  return a;
}

}  // namespace

TEST_CASE("a row becomes codes whose largest is the largest there is, and a scale") {
  auto d = open_test_device();
  if (!d) return;
  run_threads_in(GENERATE(from_range(thread_orders())));
  auto width = GENERATE(16u, 48u, 576u, 4112u);
  constexpr std::uint32_t rows = 5;
  INFO(width << " wide");
  auto x = exact_numbers(rows * (width + gap), 1);
  for (std::size_t i = 0; i < x.size(); ++i)
    x[i] *= std::ldexp(1.0f, static_cast<int>(i / (width + gap)) * 20 - 40);  // rows of very different sizes
  const auto a = args_of(*d, x, rows, width);
  must(gpu::code_rows(a, d->stream));
  const auto codes = d->get(a.codes, rows * a.codes_stride);
  const auto scales = d->get(a.scales, rows);
  for (std::size_t row = 0; row < rows; ++row) {
    float largest = 0, coded = 0;
    for (std::size_t k = 0; k < width; ++k) {
      const auto i = row * (width + gap) + k;
      const float code = gpu::to_float(codes[i]);
      largest = std::max(largest, std::abs(x[i]));
      coded = std::max(coded, std::abs(code));
      REQUIRE(std::abs(static_cast<double>(code) * static_cast<double>(scales[row]) -
                       static_cast<double>(x[i])) <=
              code_tolerance(static_cast<double>(x[i]), static_cast<double>(scales[row])));
    }
    CHECK(scales[row] == largest / 448);
    CHECK(coded == 448);
    for (std::size_t k = width; k < width + gap; ++k)
      REQUIRE(codes[row * (width + gap) + k].bits == 0xff);
  }
}

TEST_CASE("rows of nothing, of infinities and of what is no number become codes of the same") {
  auto d = open_test_device();
  if (!d) return;
  constexpr std::uint32_t width = 32;
  constexpr float inf = std::numeric_limits<float>::infinity();
  std::vector<float> x(4 * (width + gap), 0.0f);
  x[1 * (width + gap) + 17] = inf;
  x[2 * (width + gap) + 3] = std::numeric_limits<float>::quiet_NaN();
  x[2 * (width + gap) + 4] = -2;
  x[3 * (width + gap) + 5] = 1e-38f;
  auto a = args_of(*d, x, 4, width);
  must(gpu::code_rows(a, d->stream));
  const auto codes = d->get(a.codes, 4 * a.codes_stride);
  const auto scales = d->get(a.scales, 4);
  const auto at = [&](std::size_t row, std::size_t k) {
    return gpu::to_float(codes[row * (width + gap) + k]);
  };
  for (std::size_t k = 0; k < width; ++k) {
    CHECK(at(0, k) == 0);
    CHECK(at(3, k) == 0);
    CHECK_FALSE(std::isfinite(at(1, k) * scales[1]));
  }
  CHECK(scales[0] == 1);
  CHECK(scales[3] == 1);
  CHECK(std::isnan(at(2, 3)));
  CHECK(at(2, 4) * scales[2] == -2);
  CHECK(at(2, 5) == 0);
  a.rows = 0;
  must(gpu::code_rows(a, d->stream));
}

TEST_CASE("a norm's codes are those of the rows that it gives") {
  auto d = open_test_device();
  if (!d) return;
  run_threads_in(GENERATE(from_range(thread_orders())));
  auto width = GENERATE(16u, 144u, 2064u);
  constexpr std::uint32_t rows = 3;
  const std::size_t stride = width + gap, count = rows * stride;
  gpu::norm_args n;
  n.x = d->put(exact_numbers(count, 1));
  n.branch = d->put(as_bfloat(exact_numbers(count, 2)));
  n.x_stride = n.branch_stride = n.y_stride = n.codes_stride = stride;
  n.weight = d->put(exact_numbers(width, 3));
  n.rows = rows;
  n.width = width;
  n.epsilon = 1e-5f;
  n.y = d->room<bfloat>(count);
  n.codes = d->room<e4m3>(count);
  n.scales = d->room<float>(rows);
  must(gpu::norm(n, d->stream));
  gpu::row_codes_args a{n.y, stride, rows, width, d->room<e4m3>(count), stride, d->room<float>(rows)};
  must(gpu::code_rows(a, d->stream));
  CHECK(d->get(n.scales, rows) == d->get(a.scales, rows));
  const auto of_norm = d->get(n.codes, count), expected = d->get(a.codes, count);
  CHECK(std::memcmp(of_norm.data(), expected.data(), count) == 0);
}

TEST_CASE("products are scaled by row and output in place, with bias") {
  auto d = open_test_device();
  if (!d) return;
  auto outputs = GENERATE(16u, 208u, 2064u);
  auto with_bias = GENERATE(false, true);
  constexpr std::uint32_t rows = 3;
  const std::size_t stride = outputs + 8;
  const auto y = exact_numbers(rows * stride, 1), of_rows = exact_numbers(rows, 2),
             of_outputs = exact_numbers(outputs, 3), bias = exact_numbers(outputs, 4);
  gpu::scaled_products_args a{d->put(as_bfloat(y)),
                              stride,
                              rows,
                              outputs,
                              d->put(of_rows),
                              d->put(of_outputs),
                              with_bias ? d->put(as_bfloat(bias)) : nullptr};
  must(gpu::scale_products(a, d->stream));
  const auto got = as_float(d->get(a.y, rows * stride));
  for (std::size_t row = 0; row < rows; ++row) {
    for (std::size_t k = 0; k < outputs; ++k) {
      const double expected = static_cast<double>(y[row * stride + k]) * static_cast<double>(of_rows[row]) *
                                  static_cast<double>(of_outputs[k]) +
                              (with_bias ? static_cast<double>(bias[k]) : 0);
      REQUIRE(std::abs(static_cast<double>(got[row * stride + k]) - expected) <
              bfloat_tolerance(std::abs(expected)));
    }
    for (std::size_t k = outputs; k < stride; ++k)
      REQUIRE(got[row * stride + k] == y[row * stride + k]);
  }
}
