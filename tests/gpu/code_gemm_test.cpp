// Products of e4m3 codes. On a device that has none the tests count as skipped.
#include "gpu/gemm.hpp"
#include "tests/gpu/test_device.hpp"

#ifdef LORICA_EMULATED_DEVICE
#include "tests/emulated_device/runtime.hpp"
#endif

using namespace lorica;
using namespace lorica::testing;
using gpu::bfloat;
using gpu::e4m3;

namespace {

/// While it lives, the emulated device has a compute capability of 9.0, where products scale themselves, or
/// of 8.9, where a kernel does; a real one has what it has.
class capability_turn {
 public:
  explicit capability_turn([[maybe_unused]] int minor_of_8) {
#ifdef LORICA_EMULATED_DEVICE
    if (minor_of_8 != 0) emulated_device::set_capability({8, minor_of_8});
#endif
  }
  ~capability_turn() {
#ifdef LORICA_EMULATED_DEVICE
    emulated_device::set_capability({});
#endif
  }
  capability_turn(const capability_turn&) = delete;
  capability_turn& operator=(const capability_turn&) = delete;
};

std::vector<int> capabilities() {
#ifdef LORICA_EMULATED_DEVICE
  return {0, 9};
#else
  return {0};
#endif
}

/// Null where codes cannot be multiplied, which is told as a skipped test.
std::unique_ptr<test_device> open_code_device() {
  auto d = open_test_device();
  if (!d) return d;
  if (auto ok = gpu::check_weights(gpu::weight_format::fp8, d->device.properties()); !ok) {
    WARN("skipped: " << ok.error().text);
    return nullptr;
  }
  return d;
}

gpu::gemm_options options_of(const test_device& d, std::uint32_t pinned_rows = 0) {
  gpu::gemm_options o;
  o.workspace_bytes = std::uint64_t{4} << 20;
  o.pinned_rows = pinned_rows;
  o.scale_inside = d.device.properties().scales_products();
  return o;
}

/// Codes of all sizes but no number, and their values.
std::vector<e4m3> some_codes(std::size_t count, std::uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<e4m3> out(count);
  for (auto& c : out)
    do
      c = {static_cast<std::uint8_t>(random())};
    while ((c.bits & 0x7f) == 0x7f);
  return out;
}

constexpr std::size_t x_gap = 16, y_gap = 8;

struct inputs {
  std::uint32_t rows, depth, outputs;
  std::vector<e4m3> x, weights;
  std::vector<float> x_scales, weight_scales, bias;

  inputs(std::uint32_t rows_, std::uint32_t depth_, std::uint32_t outputs_)
      : rows(rows_),
        depth(depth_),
        outputs(outputs_),
        x(some_codes(rows * (depth + x_gap), 1)),
        weights(some_codes(std::size_t{outputs} * depth, 2)),
        x_scales(exact_numbers(rows, 3)),
        weight_scales(exact_numbers(outputs, 4)),
        bias(exact_numbers(outputs, 5)) {
    for (auto& s : weight_scales)
      s /= 64;
  }

  /// The number, and the size of what was summed.
  std::pair<double, double> expected(std::size_t row, std::size_t out, bool with_bias) const {
    double sum = 0, size = 0;
    for (std::size_t k = 0; k < depth; ++k) {
      const double one = static_cast<double>(gpu::to_float(x[row * (depth + x_gap) + k])) *
                         static_cast<double>(gpu::to_float(weights[out * depth + k]));
      sum += one;
      size += std::abs(one);
    }
    const double scale = static_cast<double>(x_scales[row]) * static_cast<double>(weight_scales[out]);
    return {sum * scale + (with_bias ? static_cast<double>(bias[out]) : 0), std::abs(size * scale)};
  }
};

gpu::code_gemm_args args_of(test_device& d, const inputs& in, bool with_bias) {
  gpu::code_gemm_args a;
  a.x = d.put(in.x);
  a.x_stride = in.depth + x_gap;
  a.x_scales = d.put(in.x_scales);
  a.rows = in.rows;
  a.weights = d.put(in.weights);
  a.weight_scales = d.put(in.weight_scales);
  a.depth = in.depth;
  a.outputs = in.outputs;
  a.bias = with_bias ? d.put(as_bfloat(in.bias)) : nullptr;
  a.y_stride = in.outputs + y_gap;
  a.y = d.room<bfloat>(in.rows * a.y_stride);
  return a;
}

}  // namespace

TEST_CASE("a product of codes is the sum of products, scaled by row and output, with bias") {
  capability_turn turn(GENERATE(from_range(capabilities())));
  auto d = open_code_device();
  if (!d) return;
  auto with_bias = GENERATE(false, true);
  auto [rows, depth, outputs] = GENERATE(table<std::uint32_t, std::uint32_t, std::uint32_t>(
      {{1, 64, 48}, {7, 48, 16}, {33, 576, 208}, {3, 16, 32}}));
  INFO(rows << " rows, depth " << depth << ", outputs " << outputs << " bias " << with_bias);
  inputs in(rows, depth, outputs);
  auto products = must(gpu::gemm::create(d->memory, options_of(*d)));
  auto a = args_of(*d, in, with_bias);
  must(products.run(a, d->stream));
  const auto y = as_float(d->get(a.y, rows * a.y_stride));
  for (std::size_t row = 0; row < rows; ++row) {
    for (std::size_t out = 0; out < outputs; ++out) {
      const auto [expected, size] = in.expected(row, out, with_bias);
      // Rounded twice where a kernel scales; sums of the tensor cores keep 13 bits below the largest product.
      REQUIRE(std::abs(static_cast<double>(y[row * a.y_stride + out]) - expected) <
              2 * bfloat_tolerance(std::abs(expected)) + size / 4096);
    }
    for (std::size_t out = outputs; out < a.y_stride; ++out)
      REQUIRE(std::isnan(y[row * a.y_stride + out]));
  }
}

TEST_CASE("a product reads all 256 codes as what they stand for") {
  capability_turn turn(GENERATE(from_range(capabilities())));
  auto d = open_code_device();
  if (!d) return;
  constexpr std::uint32_t depth = 16, outputs = 256;
  std::vector<e4m3> x(depth, e4m3{0}), weights(outputs * depth, e4m3{0});
  x[0] = gpu::to_e4m3(1);
  for (std::uint32_t code = 0; code < outputs; ++code)
    weights[code * depth] = {static_cast<std::uint8_t>(code)};
  gpu::code_gemm_args a;
  a.x = d->put(x);
  a.x_stride = a.depth = depth;
  a.x_scales = d->put(std::vector<float>{1});
  a.rows = 1;
  a.weights = d->put(weights);
  a.weight_scales = d->put(std::vector<float>(outputs, 1.0f));
  a.outputs = outputs;
  a.y = d->room<bfloat>(outputs);
  a.y_stride = outputs;
  auto products = must(gpu::gemm::create(d->memory, options_of(*d)));
  must(products.run(a, d->stream));
  const auto y = as_float(d->get(a.y, outputs));
  for (std::uint32_t code = 0; code < outputs; ++code) {
    INFO("code " << code);
    const float expected = gpu::to_float(e4m3{static_cast<std::uint8_t>(code)});
    if (std::isnan(expected))
      CHECK(std::isnan(y[code]));
    else
      CHECK(y[code] == expected);  // exact in bfloat16
  }
}

TEST_CASE("with pinned algorithms the bits of a row of codes do not depend on the number of rows") {
  capability_turn turn(GENERATE(from_range(capabilities())));
  auto d = open_code_device();
  if (!d) return;
  inputs in(64, 576, 144);
  auto products = must(gpu::gemm::create(d->memory, options_of(*d, 32)));
  auto a = args_of(*d, in, true);
  must(products.run(a, d->stream));
  const auto all = d->get(a.y, a.rows * a.y_stride);
  for (std::uint32_t rows : {1u, 7u, 33u}) {
    auto b = a;
    b.rows = rows;
    b.x = a.x + 5 * a.x_stride;
    b.x_scales = a.x_scales + 5;
    b.y = d->room<bfloat>(rows * a.y_stride);
    must(products.run(b, d->stream));
    const auto some = d->get(b.y, rows * a.y_stride);
    for (std::size_t row = 0; row < rows; ++row)
      REQUIRE(std::memcmp(&some[row * a.y_stride], &all[(row + 5) * a.y_stride],
                          a.outputs * sizeof(bfloat)) == 0);
  }
}

TEST_CASE("shapes of codes are remembered beside those of numbers, and no rows are nothing to do") {
  auto d = open_code_device();
  if (!d) return;
  inputs in(2, 64, 48);
  auto products = must(gpu::gemm::create(d->memory, options_of(*d)));
  auto a = args_of(*d, in, false);
  gpu::gemm_args numbers;
  numbers.x = d->room<bfloat>(2 * a.x_stride);
  numbers.x_stride = a.x_stride;
  numbers.rows = a.rows;
  numbers.weights = d->room<bfloat>(std::size_t{a.depth} * a.outputs);
  numbers.depth = a.depth;
  numbers.outputs = a.outputs;
  numbers.y = a.y;
  numbers.y_stride = a.y_stride;
  for (int i = 0; i < 2; ++i) {
    must(products.prepare(a));
    must(products.run(a, d->stream));
    must(products.run(numbers, d->stream));
  }
  CHECK(products.plans() == 2);
  a.rows = 0;
  must(products.run(a, d->stream));
  CHECK(products.plans() == 2);
}

#ifdef LORICA_EMULATED_DEVICE
TEST_CASE("products of codes that a device does not have are told by their shape") {
  auto d = open_code_device();
  inputs in(2, 64, 48);
  auto a = args_of(*d, in, false);
  const auto refused = [&](gpu::code_gemm_args args, bool inside) {
    auto o = options_of(*d);
    o.scale_inside = inside;
    auto products = must(gpu::gemm::create(d->memory, o));
    auto ran = products.run(args, d->stream);
    REQUIRE_FALSE(ran);
    CHECK_THAT(ran.error().text, Catch::Contains("choosing a product of 2 rows") && Catch::Contains("e4m3"));
  };
  {
    capability_turn turn(9);  // no scales inside
    refused(a, true);
  }
  {
    capability_turn turn(6);  // no codes at all
    refused(a, false);
  }
  for (auto inside : {false, true}) {
    auto odd = a;
    odd.depth = 40;
    refused(odd, inside);
    odd = a;
    odd.outputs = 40;
    refused(odd, inside);
    odd = a;
    odd.x_stride = 72;
    refused(odd, inside);
  }
  auto nowhere = a;
  nowhere.x_scales = nullptr;
  auto products = must(gpu::gemm::create(d->memory, options_of(*d)));
  CHECK_FALSE(products.run(nowhere, d->stream));
}
#endif
