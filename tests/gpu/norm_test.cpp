#include "gpu/norm.hpp"

#include "tests/gpu/test_device.hpp"

using namespace lorica;
using namespace lorica::testing;
using gpu::bfloat;
using gpu::number_format;

namespace {

constexpr std::size_t gap = 3;  // strides are wider than rows

/// A residual stream on the device in either format.
void* put_rows(test_device& d, const std::vector<float>& x, number_format format) {
  if (format == number_format::float32) return d.put(x);
  return d.put(as_bfloat(x));
}

std::vector<float> get_rows(test_device& d, const void* x, std::size_t count, number_format format) {
  if (format == number_format::float32) return d.get(static_cast<const float*>(x), count);
  return as_float(d.get(static_cast<const bfloat*>(x), count));
}

double tolerance(number_format format, double size) {
  return format == number_format::float32 ? float_tolerance(size) : bfloat_tolerance(size);
}

}  // namespace

TEST_CASE("a row is normed after what the branch gave was added to it") {
  auto d = open_test_device();
  if (!d) return;
  run_threads_in(GENERATE(from_range(thread_orders())));
  auto format = GENERATE(number_format::float32, number_format::bfloat16);
  auto width = GENERATE(1u, 31u, 40u, 576u, 4099u);
  auto rows = GENERATE(1u, 5u);
  auto with_branch = GENERATE(true, false);
  INFO(width << " wide, " << rows << " rows, branch " << with_branch);
  const std::size_t stride = width + gap;
  auto x = exact_numbers(rows * stride, 1), branch = exact_numbers(rows * stride, 2),
       weight = exact_numbers(width, 3);
  auto* y = d->room<bfloat>(rows * stride);
  gpu::norm_args a;
  a.x = put_rows(*d, x, format);
  a.format = format;
  a.x_stride = a.branch_stride = a.y_stride = stride;
  a.branch = with_branch ? d->put(as_bfloat(branch)) : nullptr;
  a.weight = d->put(weight);
  a.rows = rows;
  a.width = width;
  a.epsilon = 1e-2f;
  a.y = y;
  must(gpu::norm(a, d->stream));
  auto after = get_rows(*d, a.x, rows * stride, format);
  auto normed = as_float(d->get(y, rows * stride));
  for (std::size_t row = 0; row < rows; ++row) {
    std::vector<double> sum(width);
    double squares = 0;
    for (std::size_t k = 0; k < width; ++k) {
      const auto i = row * stride + k;
      sum[k] = static_cast<double>(x[i]) + (with_branch ? static_cast<double>(branch[i]) : 0);
      squares += sum[k] * sum[k];
    }
    const double factor = 1 / std::sqrt(squares / width + 1e-2);
    for (std::size_t k = 0; k < width; ++k) {
      const auto i = row * stride + k;
      const double expected = sum[k] * factor * static_cast<double>(weight[k]);
      REQUIRE(std::abs(static_cast<double>(normed[i]) - expected) < bfloat_tolerance(std::abs(expected)));
      REQUIRE(std::abs(static_cast<double>(after[i]) - sum[k]) < tolerance(format, std::abs(sum[k])));
    }
    for (std::size_t k = width; k < stride; ++k) {
      REQUIRE(std::isnan(normed[row * stride + k]));
      REQUIRE(after[row * stride + k] == x[row * stride + k]);
    }
  }
}

TEST_CASE("what a branch adds on the device is normed before it is added") {
  auto d = open_test_device();
  if (!d) return;
  run_threads_in(GENERATE(from_range(thread_orders())));
  auto format = GENERATE(number_format::float32, number_format::bfloat16);
  auto width = GENERATE(1u, 40u, 1000u);
  auto x = exact_numbers(2 * width, 1), branch = exact_numbers(2 * width, 2),
       weight = exact_numbers(width, 3);
  gpu::norm_args a;
  a.x = put_rows(*d, x, format);
  a.format = format;
  a.x_stride = a.branch_stride = width;
  a.branch = d->put(as_bfloat(branch));
  a.weight = d->put(weight);
  a.rows = 2;
  a.width = width;
  a.epsilon = 1e-2f;
  must(gpu::norm_add(a, d->stream));
  auto after = get_rows(*d, a.x, 2 * width, format);
  for (std::size_t row = 0; row < 2; ++row) {
    double squares = 0;
    for (std::size_t k = 0; k < width; ++k)
      squares += std::pow(static_cast<double>(branch[row * width + k]), 2);
    const double factor = 1 / std::sqrt(squares / width + 1e-2);
    for (std::size_t k = 0; k < width; ++k) {
      const auto i = row * width + k;
      const double expected = static_cast<double>(x[i]) +
                              static_cast<double>(branch[i]) * factor * static_cast<double>(weight[k]);
      REQUIRE(std::abs(static_cast<double>(after[i]) - expected) < tolerance(format, std::abs(expected)));
    }
  }
}

TEST_CASE("no rows are nothing to norm, and what is no number stays none") {
  auto d = open_test_device();
  if (!d) return;
  gpu::norm_args a;
  a.width = 8;
  must(gpu::norm(a, d->stream));
  auto x = std::vector<float>(8, 1.0f);
  x[3] = std::numeric_limits<float>::quiet_NaN();
  a.x = d->put(x);
  a.weight = d->put(std::vector<float>(8, 1.0f));
  auto* y = d->room<bfloat>(8);
  a.y = y;
  a.rows = 1;
  a.x_stride = a.y_stride = 8;
  must(d->stream.fill(y, std::byte{0}, 16));
  must(gpu::norm(a, d->stream));
  CHECK(std::isnan(as_float(d->get(y, 8))[0]));
}
