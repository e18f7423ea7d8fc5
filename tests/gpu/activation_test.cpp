#include "gpu/activation.hpp"

#include "gpu/softcap.hpp"
#include "tests/gpu/test_device.hpp"

using namespace lorica;
using namespace lorica::testing;
using gpu::bfloat;
using gpu::number_format;

namespace {

double activated(activation_kind kind, double g) {
  switch (kind) {
    case activation_kind::silu: return g / (1 + std::exp(-g));
    case activation_kind::gelu: return g * std::erfc(-g / std::sqrt(2.0)) / 2;
    case activation_kind::gelu_tanh:
      return g / (1 + std::exp(-2 * std::sqrt(2 / 3.14159265358979323846) * (g + 0.044715 * g * g * g)));
  }
  return 0;
}

const auto all_kinds = {activation_kind::silu, activation_kind::gelu, activation_kind::gelu_tanh};

}  // namespace

TEST_CASE("a gate becomes what its activation makes of it, times up") {
  auto d = open_test_device();
  if (!d) return;
  auto format = GENERATE(number_format::float32, number_format::bfloat16);
  auto kind = GENERATE(from_range(all_kinds));
  auto width = GENERATE(1u, 40u, 259u, 1024u);
  auto gap = GENERATE(0u, 3u, 8u);  // with some four columns go together
  INFO(width << " wide, gap " << gap);
  constexpr std::uint32_t rows = 3;
  const std::size_t stride = 2 * width + gap;
  auto x = exact_numbers(rows * stride, 1);
  for (auto& v : x)
    v *= 8;  // exact
  const bool wide = format == number_format::float32;
  auto* at =
      wide ? reinterpret_cast<std::byte*>(d->put(x)) : reinterpret_cast<std::byte*>(d->put(as_bfloat(x)));
  gpu::activation_args a;
  a.gate = at;
  a.up = at + width * gpu::bytes_of(format);
  a.format = format;
  a.stride = stride;
  a.rows = rows;
  a.width = width;
  a.y_stride = width + gap;
  a.y = d->room<bfloat>(rows * a.y_stride);
  a.kind = kind;
  must(gpu::activate(a, d->stream));
  const auto y = as_float(d->get(a.y, rows * a.y_stride));
  for (std::size_t row = 0; row < rows; ++row) {
    for (std::size_t k = 0; k < width; ++k) {
      const double expected = activated(kind, static_cast<double>(x[row * stride + k])) *
                              static_cast<double>(x[row * stride + width + k]);
      REQUIRE(std::abs(static_cast<double>(y[row * a.y_stride + k]) - expected) <
              bfloat_tolerance(std::abs(expected)));
    }
    for (std::size_t k = width; k < a.y_stride; ++k)
      REQUIRE(std::isnan(y[row * a.y_stride + k]));
  }
}

TEST_CASE("an activation may take the place of its gate, and no rows are nothing to activate") {
  auto d = open_test_device();
  if (!d) return;
  run_threads_in(GENERATE(from_range(thread_orders())));
  auto width = GENERATE(7u, 64u);
  const auto x = as_bfloat(exact_numbers(2 * width, 2));
  auto* at = d->put(x);
  gpu::activation_args a;
  a.gate = at;
  a.up = at + width;
  a.stride = a.y_stride = 2 * width;
  a.width = width;
  a.y = d->room<bfloat>(width);
  must(gpu::activate(a, d->stream));
  a.rows = 1;
  must(gpu::activate(a, d->stream));
  const auto apart = d->get(a.y, width);
  a.y = at;
  must(gpu::activate(a, d->stream));
  CHECK(same_bits(d->get(at, width), apart));
}

TEST_CASE("a gate far from zero is itself or nothing, and what is no number stays none") {
  auto d = open_test_device();
  if (!d) return;
  constexpr float inf = std::numeric_limits<float>::infinity();
  const std::vector<float> x{-1e30f, -300, -90, 90,
                             1e30f,  -inf, inf, std::numeric_limits<float>::quiet_NaN()};
  gpu::activation_args a;
  a.format = number_format::float32;
  a.gate = d->put(x);
  a.up = d->put(std::vector<float>(x.size(), 1.0f));
  a.stride = a.y_stride = x.size();
  a.rows = 1;
  a.width = static_cast<std::uint32_t>(x.size());
  a.y = d->room<bfloat>(x.size());
  for (auto kind : all_kinds) {
    a.kind = kind;
    must(gpu::activate(a, d->stream));
    const auto y = as_float(d->get(a.y, x.size()));
    CHECK(std::abs(y[0]) < 1e-30f);
    CHECK(std::abs(y[1]) < 1e-30f);
    CHECK(std::abs(y[2]) < 1e-30f);
    CHECK(y[3] == 90);
    CHECK(y[4] == Approx(1e30f).epsilon(4e-3));
    CHECK(std::abs(y[5]) < 1e-30f);
    CHECK(y[6] == inf);
    CHECK(std::isnan(y[7]));
  }
}

TEST_CASE("numbers are capped by a tanh") {
  auto d = open_test_device();
  if (!d) return;
  constexpr float inf = std::numeric_limits<float>::infinity();
  auto width = GENERATE(8u, 256u, 300u);
  const std::size_t stride = width + 2;
  auto x = exact_numbers(3 * stride, 3);
  for (auto& v : x)
    v *= 128;
  x[0] = inf;
  x[1] = -inf;
  x[2] = 3e38f;
  x[3] = std::numeric_limits<float>::quiet_NaN();
  gpu::softcap_args a;
  a.x = d->put(x);
  a.stride = stride;
  a.width = width;
  a.cap = 30;
  must(gpu::softcap(a, d->stream));
  a.rows = 3;
  must(gpu::softcap(a, d->stream));
  const auto y = d->get(a.x, 3 * stride);
  CHECK(std::isnan(y[3]));
  for (std::size_t i = 0; i < y.size(); ++i) {
    if (i == 3) continue;
    const double expected =
        i % stride < width ? 30 * std::tanh(static_cast<double>(x[i]) / 30) : static_cast<double>(x[i]);
    CHECK(std::abs(static_cast<double>(y[i]) - expected) < float_tolerance(30));
  }
}
