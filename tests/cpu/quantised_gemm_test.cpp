#include <bit>
#include <limits>

#include "cpu/gemm.hpp"
#include "cpu/quantised_weights.hpp"
#include "tests/catch.hpp"
#include "tests/cpu/kernel_inputs.hpp"

using namespace lorica;
using namespace lorica::testing;

namespace {

const std::vector<weight_format> formats = {weight_format::q8_0, weight_format::q4_0, weight_format::q4_1};

/// Random codes with scales and minima of both signs, packed as the executor packs, and random inputs.
struct problem {
  weight_format format;
  std::uint32_t rows, groups, outputs, stride;
  std::vector<weight_group> weights;  // [outputs][groups]
  std::vector<input_group> x;         // [rows][stride]
  std::vector<float> bias, y;
  std::vector<std::byte> packed;

  problem(weight_format f, std::uint32_t r, std::uint32_t g, std::uint32_t n)
      : format(f),
        rows(r),
        groups(g),
        outputs(n),
        stride(g + 2),
        weights(std::size_t{n} * g),
        x(std::size_t{r} * stride),
        bias(some_numbers(std::size_t{blocks_for(n)} * 32, 23)),
        y(some_numbers(std::size_t{r} * width(), 24)),
        packed(blocks_for(n) * std::size_t{g} * group_bytes(f)) {
    std::mt19937 random(17);
    const auto most = f == weight_format::q8_0 ? 256u : 16u;
    for (auto& w : weights) {
      for (auto& c : w.codes)
        c = static_cast<std::uint8_t>(random() % most);
      w.scale = to_half(static_cast<float>(random() % 1000) / 4000.0f - 0.1f);
      w.minimum = f == weight_format::q4_1 ? to_half(static_cast<float>(random() % 1000) / 500.0f - 1.0f) : 0;
    }
    const auto inputs = some_numbers(x.size() * 32, 25);
    for (std::size_t i = 0; i < x.size(); ++i)
      kernels_for(isa::portable, cpu_dtype::float32).quantise({inputs.data() + i * 32, 32, &x[i]});
    for (std::uint32_t b = 0; b < blocks_for(n); ++b) {
      const weight_group* lines[32] = {};
      for (std::uint32_t lane = 0; lane < 32 && b * 32 + lane < n; ++lane)
        lines[lane] = weights.data() + std::size_t{b * 32 + lane} * g;
      pack_groups(f, lines, g, packed.data() + std::size_t{b} * g * group_bytes(f));
    }
  }

  std::uint32_t width() const { return blocks_for(outputs) * 32 + 3; }

  float weight(std::uint32_t output, std::uint32_t k) const {
    auto& g = weights[std::size_t{output} * groups + k / 32];
    const float zero = format == weight_format::q8_0 ? 128 : 8;
    return half_to_float(g.scale) * (static_cast<float>(g.codes[k % 32]) - zero) + shift_of(format, g);
  }

  float input(std::uint32_t row, std::uint32_t k) const {
    auto& g = x[std::size_t{row} * stride + k / 32];
    return g.scale * static_cast<float>(g.codes[k % 32]);
  }

  /// Product of a row and the weights of an output.
  double product(std::uint32_t row, std::uint32_t output) const {
    double sum = 0;
    for (std::uint32_t k = 0; k < 32 * groups; ++k)
      sum += static_cast<double>(input(row, k)) * static_cast<double>(weight(output, k));
    for (std::uint32_t g = 0; g < groups; ++g)
      sum += rounding_of_sum(format, weights[std::size_t{output} * groups + g],
                             x[std::size_t{row} * stride + g]);
    return sum;
  }

  gemm_args args(std::vector<float>& out, gemm_into into, const float* b) const {
    return {x.data(), stride,     rows,    packed.data(), groups * 32, blocks_for(outputs),
            b,        out.data(), width(), into};
  }
};

auto kernel(isa which, weight_format f) {
  return kernels_for(which, cpu_dtype::float32).gemm_for(f);
}

}  // namespace

TEST_CASE("a product of quantised weights equals the sum of products, whatever tail its shape has") {
  auto format = GENERATE(from_range(formats));
  auto which = GENERATE(from_range(other_instructions()));
  auto rows = GENERATE(1u, 2u, 3u, 5u, 7u, 12u, 13u, 25u, 40u);
  auto shape = GENERATE(std::pair(1u, 1u), std::pair(1u, 33u), std::pair(2u, 32u), std::pair(3u, 100u),
                        std::pair(4u, 48u), std::pair(18u, 64u));
  INFO(to_string(which) << ' ' << to_string(format) << ' ' << rows << " x " << 32 * shape.first << " x "
                        << shape.second);
  problem p(format, rows, shape.first, shape.second);
  auto with_bias = rows % 2 == 1;
  auto into = rows % 3 == 0 ? gemm_into::store : gemm_into::add;
  auto y = p.y;
  kernel(which, format)(p.args(y, into, with_bias ? p.bias.data() : nullptr));
  double worst = 0;
  for (std::uint32_t m = 0; m < rows; ++m)
    for (std::uint32_t n = 0; n < p.outputs; ++n) {
      double sum = (with_bias ? static_cast<double>(p.bias[n]) : 0) + p.product(m, n);
      if (into == gemm_into::add) sum += static_cast<double>(p.y[m * p.width() + n]);
      worst =
          std::max(worst, std::abs(sum - static_cast<double>(y[m * p.width() + n])) / (1 + std::abs(sum)));
    }
  CHECK(worst < 4e-5);
  for (std::uint32_t m = 0; m < rows; ++m)
    for (std::uint32_t n = blocks_for(p.outputs) * 32; n < p.width(); ++n)
      CHECK(y[m * p.width() + n] == p.y[m * p.width() + n]);
}

TEST_CASE("largest codes and inputs do not overflow a sum") {
  auto format = GENERATE(from_range(formats));
  auto which = GENERATE(from_range(other_instructions()));
  auto code = GENERATE(0, 1, 127, 128, 255);
  auto sign = GENERATE(-1.0f, 1.0f);
  problem p(format, 3, 18, 32);
  for (auto& w : p.weights)
    std::ranges::fill(w.codes, static_cast<std::uint8_t>(format == weight_format::q8_0 ? code : code % 16));
  const std::vector<float> inputs(32, sign);
  for (auto& g : p.x)
    kernels_for(which, cpu_dtype::float32).quantise({inputs.data(), 32, &g});
  CHECK(p.x[0].codes[31] == 127 * static_cast<int>(sign));
  const weight_group* lines[32] = {};
  for (std::uint32_t lane = 0; lane < 32; ++lane)
    lines[lane] = p.weights.data() + std::size_t{lane} * p.groups;
  pack_groups(format, lines, p.groups, p.packed.data());
  std::vector<float> y(p.y.size());
  kernel(which, format)(p.args(y, gemm_into::store, nullptr));
  for (std::uint32_t n = 0; n < 32; ++n) {
    const double sum = p.product(2, n);
    CHECK(std::abs(static_cast<double>(y[2 * p.width() + n]) - sum) < 1e-3 + 1e-5 * std::abs(sum));
  }
}

TEST_CASE("a row's products with quantised weights are bit-equal alone and among any number of rows") {
  auto format = GENERATE(from_range(formats));
  auto which = GENERATE(from_range(other_instructions()));
  INFO(to_string(which) << ' ' << to_string(format));
  problem p(format, 40, 7, 330);
  auto all = p.y;
  kernel(which, format)(p.args(all, gemm_into::store, nullptr));
  for (std::uint32_t rows : {1u, 2u, 4u, 6u, 9u, 11u, 12u, 17u})
    for (std::uint32_t first = 0; first + rows <= 40; first += 5) {
      std::vector<float> y(p.y.size());
      auto a = p.args(y, gemm_into::store, nullptr);
      a.x = p.x.data() + std::size_t{first} * p.stride;
      a.rows = rows;
      for (std::uint32_t b = 0; b < blocks_for(p.outputs); b += rows) {
        auto part = a;
        part.blocks = std::min(rows, blocks_for(p.outputs) - b);
        part.weights = p.packed.data() + std::size_t{b} * p.groups * group_bytes(format);
        part.y = y.data() + b * 32;
        kernel(which, format)(part);
      }
      bool same = true;
      for (std::uint32_t m = 0; m < rows; ++m)
        for (std::uint32_t n = 0; n < p.outputs; ++n)
          same = same && y[m * p.width() + n] == all[(first + m) * p.width() + n];
      CHECK(same);
    }
}

TEST_CASE("inputs are codes of a 127th of the largest in their group, alike on all instructions") {
  auto which = GENERATE(from_range(other_instructions()));
  auto dtype = GENERATE(cpu_dtype::float32, cpu_dtype::bfloat16);
  auto values = some_numbers(64, 31);
  values[5] = 3.0f;
  values[40] = -2.0f;
  auto x = stored(dtype, values);
  std::vector<input_group> groups(2);
  kernels_for(which, dtype).quantise({x.at(0), 64, groups.data()});
  for (std::size_t g = 0; g < 2; ++g) {
    const float size = g == 0 ? 3.0f : 2.0f;
    CHECK(groups[g].scale == size * (1.0f / 127.0f));
    int sum = 0;
    for (std::size_t i = 0; i < 32; ++i) {
      CHECK(groups[g].codes[i] == std::nearbyint(values[32 * g + i] * (127.0f / size)));
      sum += groups[g].codes[i];
    }
    CHECK(groups[g].scaled_sum == from_bfloat(to_bfloat(groups[g].scale * static_cast<float>(sum))));
    CHECK(groups[g].minus_8 == -8 * sum);
    CHECK(groups[g].minus_128 == -128 * sum);
  }
}

TEST_CASE("ties of a code go to the even one, and a group of next to nothing is zero") {
  auto which = GENERATE(from_range(other_instructions()));
  std::vector<float> values(32, 0.0f);
  values[0] = 127.0f;
  values[1] = 0.5f;
  values[2] = 1.5f;
  values[3] = -2.5f;
  input_group group;
  auto& kernels = kernels_for(which, cpu_dtype::float32);
  kernels.quantise({values.data(), 32, &group});
  CHECK(group.codes[1] == 0);
  CHECK(group.codes[2] == 2);
  CHECK(group.codes[3] == -2);
  std::ranges::fill(values, 1e-38f);
  kernels.quantise({values.data(), 32, &group});
  CHECK(group.scale == 0);
  CHECK(std::ranges::all_of(group.codes, [](auto c) { return c == 0; }));
}

TEST_CASE("a group among any number of others gets the codes that it gets alone") {
  auto which = GENERATE(from_range(other_instructions()));
  auto& kernels = kernels_for(which, cpu_dtype::float32);
  for (std::size_t count = 1; count <= 21; ++count) {
    auto values = some_numbers(count * 32, 33 + static_cast<unsigned>(count));
    for (std::size_t g = 0; g < count; ++g)  // of very different sizes, some of them nothing
      for (std::size_t i = 0; i < 32; ++i)
        values[32 * g + i] *= g % 5 == 3 ? 1e-32f : std::exp2(static_cast<float>(g % 7) * 5 - 15);
    std::vector<input_group> together(count), alone(count);
    kernels.quantise({values.data(), static_cast<std::uint32_t>(32 * count), together.data()});
    for (std::size_t g = 0; g < count; ++g)
      kernels.quantise({values.data() + 32 * g, 32, &alone[g]});
    CHECK(std::memcmp(together.data(), alone.data(), count * sizeof(input_group)) == 0);
    values[32 * (count / 2) + 7] = std::nanf("");  // spoils its own group only
    kernels.quantise({values.data(), static_cast<std::uint32_t>(32 * count), together.data()});
    for (std::size_t g = 0; g < count; ++g)
      CHECK((std::memcmp(&together[g], &alone[g], sizeof(input_group)) == 0) == (g != count / 2));
    CHECK(std::isnan(together[count / 2].scale));
  }
}

TEST_CASE("what is not finite is not hidden by codes") {
  auto which = GENERATE(from_range(other_instructions()));
  auto format = GENERATE(from_range(formats));
  auto bad = GENERATE(std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                      -std::numeric_limits<float>::infinity());
  auto place = GENERATE(0u, 15u, 16u, 31u);
  auto values = some_numbers(32, 32);
  values[place] = bad;
  problem p(format, 2, 1, 32);
  kernels_for(which, cpu_dtype::float32).quantise({values.data(), 32, p.x.data() + p.stride});
  auto y = p.y;
  kernel(which, format)(p.args(y, gemm_into::store, nullptr));
  bool finite_beside = true, spoilt = true;
  for (std::uint32_t n = 0; n < 32; ++n) {
    finite_beside = finite_beside && std::isfinite(y[n]);
    spoilt = spoilt && !std::isfinite(y[p.width() + n]);
  }
  CHECK(finite_beside);
  CHECK(spoilt);
}

TEST_CASE("norms and activations give the same codes as their values") {
  auto which = GENERATE(from_range(other_instructions()));
  auto x = some_numbers(96, 41), weight = some_numbers(96, 42);
  auto& kernels = kernels_for(which, cpu_dtype::float32);
  std::vector<float> y(96);
  std::vector<input_group> groups(3), alone(3), expected(3);
  auto same = [](const std::vector<input_group>& a, const std::vector<input_group>& b) {
    return std::memcmp(a.data(), b.data(), a.size() * sizeof(input_group)) == 0;
  };
  kernels.norm({x.data(), weight.data(), 96, 96, 1e-5f, y.data(), groups.data()});
  kernels.norm({x.data(), weight.data(), 96, 96, 1e-5f, nullptr, alone.data()});
  kernels.quantise({y.data(), 96, expected.data()});
  CHECK(same(groups, expected));
  CHECK(same(alone, expected));
  activation_args a{x.data(), weight.data(), 96, 1, 96, y.data(), 96};
  a.groups = groups.data();
  a.groups_stride = 3;
  kernels.activation(a);
  a.y = nullptr;
  a.groups = alone.data();
  kernels.activation(a);
  kernels.quantise({y.data(), 96, expected.data()});
  CHECK(same(groups, expected));
  CHECK(same(alone, expected));
}

TEST_CASE("half precision is written as it is read") {
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const auto half = static_cast<std::uint16_t>(bits);
    const float wide = half_to_float(half);
    if (std::isnan(wide))
      REQUIRE(std::isnan(half_to_float(to_half(wide))));
    else
      REQUIRE(to_half(wide) == half);
  }
  CHECK(to_half(1.0f + 0x1p-11f) == 0x3c00);
  CHECK(to_half(1.0f + 0x3p-11f) == 0x3c02);
  CHECK(to_half(std::nextafter(1.0f + 0x1p-11f, 2.0f)) == 0x3c01);
  CHECK(to_half(0x1p-25f) == 0);
  CHECK(to_half(0x3p-25f) == 2);
  CHECK(to_half(65519.0f) == 0x7bff);
  CHECK(to_half(65520.0f) == 0x7c00);
}

TEST_CASE("scales of every half are read as they are, on all instructions") {
  auto which = GENERATE(from_range(other_instructions()));
  // A product with one code that is 1 and one input of 127 gives 127 scales back.
  problem p(weight_format::q4_1, 1, 1, 32);
  const std::vector<float> one = [] {
    std::vector<float> out(32);
    out[0] = 127.0f;
    return out;
  }();
  kernels_for(which, cpu_dtype::float32).quantise({one.data(), 32, p.x.data()});
  p.x[0].scaled_sum = 0;
  for (auto& w : p.weights) {
    std::ranges::fill(w.codes, std::uint8_t{0});
    w.codes[0] = 9;
    w.minimum = 0;
  }
  const weight_group* lines[32] = {};
  for (std::uint32_t lane = 0; lane < 32; ++lane)
    lines[lane] = &p.weights[lane];
  for (std::uint32_t first = 0; first < 0x7c00; first += 32) {
    for (std::uint32_t lane = 0; lane < 32; ++lane)
      p.weights[lane].scale = static_cast<std::uint16_t>(first + lane);
    pack_groups(p.format, lines, 1, p.packed.data());
    std::vector<float> y(p.y.size());
    kernel(which, p.format)(p.args(y, gemm_into::store, nullptr));
    for (std::uint32_t lane = 0; lane < 32; ++lane)
      REQUIRE(y[lane] == 127.0f * half_to_float(static_cast<std::uint16_t>(first + lane)));
  }
}
