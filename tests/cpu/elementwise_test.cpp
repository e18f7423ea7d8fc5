#include "tests/catch.hpp"
#include "tests/cpu/kernel_inputs.hpp"

using namespace lorica;
using namespace lorica::testing;

TEST_CASE("a normed row has the root mean square of its weights") {
  auto dtype = GENERATE(cpu_dtype::float32, cpu_dtype::bfloat16);
  auto which = GENERATE(from_range(other_instructions()));
  auto width = GENERATE(1u, 31u, 40u, 64u, 576u);
  INFO(to_string(which) << ' ' << to_string(dtype) << ' ' << width);
  const auto padded = padded_depth(width);
  auto x = some_numbers(padded, 31);
  auto weight = some_numbers(padded, 32);
  for (auto k = width; k < padded; ++k)
    x[k] = weight[k] = 0;
  elements y(dtype, padded);
  kernels_for(which, dtype).norm({x.data(), weight.data(), width, padded, 1e-5f, y.at(0)});
  double squares = 0;
  for (auto v : x)
    squares += static_cast<double>(v) * static_cast<double>(v);
  const double factor = 1 / std::sqrt(squares / width + 1e-5);
  for (std::uint32_t k = 0; k < padded; ++k) {
    const double expected = static_cast<double>(x[k]) * factor * static_cast<double>(weight[k]);
    CHECK(std::abs(static_cast<double>(y.value(k)) - expected) < tolerance(dtype, std::abs(expected)));
  }
}

TEST_CASE("the activation is SwiGLU over the whole range of floats") {
  auto dtype = GENERATE(cpu_dtype::float32, cpu_dtype::bfloat16);
  auto which = GENERATE(from_range(other_instructions()));
  INFO(to_string(which) << ' ' << to_string(dtype));
  std::vector<float> gate = some_numbers(64, 41);
  const float edges[] = {0.0f, -0.0f, 20.0f, -20.0f, 88.0f,  -88.0f,
                         1e4f, -1e4f, 3e38f, -3e38f, 1e-30f, -70.0f};
  for (std::size_t i = 0; i < std::size(edges); ++i)
    gate[i] = edges[i];
  for (std::size_t i = 16; i < 64; ++i)
    gate[i] *= 30;
  auto up = some_numbers(64, 42);
  elements y(dtype, 64);
  kernels_for(which, dtype).activation({gate.data(), up.data(), 32, 2, 32, y.at(0), 32});
  for (std::size_t k = 0; k < 64; ++k) {
    const auto g = static_cast<double>(gate[k]);
    const double expected = g / (1 + std::exp(-std::max(g, -700.0))) * static_cast<double>(up[k]);
    INFO(gate[k] << " * " << up[k]);
    CHECK(std::abs(static_cast<double>(y.value(k)) - expected) < tolerance(dtype, std::abs(expected)));
  }
}

TEST_CASE("both forms of gelu are those of the paper over the whole range of floats") {
  auto dtype = GENERATE(cpu_dtype::float32, cpu_dtype::bfloat16);
  auto which = GENERATE(from_range(other_instructions()));
  auto kind = GENERATE(activation_kind::gelu, activation_kind::gelu_tanh);
  INFO(to_string(which) << ' ' << to_string(dtype) << " exact " << (kind == activation_kind::gelu));
  std::vector<float> gate = some_numbers(128, 43);
  const float edges[] = {0.0f, -0.0f, 20.0f, -20.0f, 88.0f,  -88.0f,
                         1e4f, -1e4f, 3e38f, -3e38f, 1e-30f, -12.0f};
  for (std::size_t i = 0; i < std::size(edges); ++i)
    gate[i] = edges[i];
  for (std::size_t i = 16; i < 128; ++i)
    gate[i] *= 8;
  std::vector<float> up(128, 1.0f);
  elements y(dtype, 128);
  kernels_for(which, dtype).activation({gate.data(), up.data(), 32, 4, 32, y.at(0), 32, kind});
  for (std::size_t k = 0; k < 128; ++k) {
    const auto g = static_cast<double>(gate[k]);
    const double exact = g * (1 + std::erf(g / std::sqrt(2))) / 2;
    const double tanh = g * (1 + std::tanh(std::sqrt(2 / 3.14159265358979) * (g + 0.044715 * g * g * g))) / 2;
    const double expected = kind == activation_kind::gelu ? exact : tanh;
    INFO(gate[k]);
    CHECK(std::abs(static_cast<double>(y.value(k)) - expected) <
          tolerance(dtype, std::abs(expected)) + 2e-7 * std::min(std::abs(g), 10.0));
  }
}

TEST_CASE("a capped number keeps its sign and stays below the cap") {
  auto which = GENERATE(from_range(other_instructions()));
  auto cap = GENERATE(0.5f, 30.0f, 50.0f);
  INFO(to_string(which) << " cap " << cap);
  auto x = some_numbers(64, 44);
  for (auto& v : x)
    v *= 200;
  x[0] = 3e38f;
  x[1] = -3e38f;
  x[2] = 1e-6f;
  x[3] = std::nanf("");
  x[4] = INFINITY;
  x[5] = 0;
  const auto before = x;
  kernels_for(which, cpu_dtype::bfloat16).softcap({x.data(), 48, cap});
  for (std::size_t k = 0; k < 64; ++k) {
    INFO(before[k]);
    if (k == 3) {
      CHECK(std::isnan(x[k]));
      continue;
    }
    const auto c = static_cast<double>(cap);
    const double expected =
        k < 48 ? c * std::tanh(static_cast<double>(before[k]) / c) : static_cast<double>(before[k]);
    CHECK(std::abs(static_cast<double>(x[k]) - expected) < 1e-6 * c);
  }
}

TEST_CASE("what a branch adds is normalised before it is added") {
  auto dtype = GENERATE(cpu_dtype::float32, cpu_dtype::bfloat16);
  auto which = GENERATE(from_range(other_instructions()));
  INFO(to_string(which) << ' ' << to_string(dtype));
  auto x = some_numbers(64, 45), weight = some_numbers(64, 46), y = some_numbers(64, 47);
  for (std::size_t k = 40; k < 64; ++k)
    x[k] = weight[k] = 0;
  const auto before = y;
  kernels_for(which, dtype).norm_add({x.data(), weight.data(), 40, 64, 1e-2f, y.data()});
  double squares = 0;
  for (auto v : x)
    squares += static_cast<double>(v) * static_cast<double>(v);
  const double factor = 1 / std::sqrt(squares / 40 + 1e-2);
  for (std::size_t k = 0; k < 64; ++k)
    CHECK(static_cast<double>(y[k]) ==
          Approx(static_cast<double>(before[k]) +
                 static_cast<double>(x[k]) * factor * static_cast<double>(weight[k]))
              .margin(1e-6));
}

TEST_CASE("an adapter changes outputs by gain and offset, each where it has them, and rows do not matter") {
  auto which = GENERATE(from_range(other_instructions()));
  auto parts = GENERATE(1u, 2u, 3u, 6u, 7u);  // bits: offset, gain, bias of the base
  INFO(to_string(which) << " parts " << parts);
  auto offset = some_numbers(48, 51), gain = some_numbers(48, 52), bias = some_numbers(48, 53);
  auto y = some_numbers(3 * 70, 54);
  const auto before = y;
  outputs_args a;
  a.y = y.data();
  a.y_stride = 70;
  a.rows = 3;
  a.width = 48;
  a.offset = parts & 1 ? offset.data() : nullptr;
  a.gain = parts & 2 ? gain.data() : nullptr;
  a.base_bias = parts & 4 ? bias.data() : nullptr;
  a.weight = -1.5f;
  kernels_for(which, cpu_dtype::float32).outputs(a);
  for (std::size_t row = 0; row < 3; ++row)
    for (std::size_t k = 0; k < 70; ++k) {
      auto old = static_cast<double>(before[row * 70 + k]);
      double change = 0;
      if (k < 48 && a.offset) change += static_cast<double>(offset[k]);
      if (k < 48 && a.gain)
        change += static_cast<double>(gain[k]) * (old - (a.base_bias ? static_cast<double>(bias[k]) : 0));
      CHECK(static_cast<double>(y[row * 70 + k]) == Approx(old - 1.5 * change).margin(1e-6));
    }
  // The last row alone gives the same bits.
  auto last = std::vector<float>(before.begin() + 140, before.end());
  a.y = last.data();
  a.rows = 1;
  kernels_for(which, cpu_dtype::float32).outputs(a);
  CHECK(last == std::vector<float>(y.begin() + 140, y.end()));
}

TEST_CASE("the exponential behind the activation is exact to its last places") {
  auto which = GENERATE(from_range(other_instructions()));
  INFO(to_string(which));
  constexpr std::uint32_t count = 16384;
  std::vector<float> gate(count), up(count, 1.0f);
  for (std::uint32_t k = 0; k < count; ++k)
    gate[k] = static_cast<float>(k) / 128 - 79.9f;
  elements y(cpu_dtype::float32, count);
  kernels_for(which, cpu_dtype::float32)
      .activation({gate.data(), up.data(), count, 1, count, y.at(0), count});
  double worst = 0;
  for (std::uint32_t k = 0; k < count; ++k) {
    const auto g = static_cast<double>(gate[k]);
    const double expected = g / (1 + std::exp(-g));
    if (g != 0) worst = std::max(worst, std::abs(static_cast<double>(y.value(k)) / expected - 1));
  }
  // Two units of the last place of the exponential, one each of sum, quotient and product.
  CHECK(worst < 4e-7);
}

TEST_CASE("no kernel hides a number that is not one") {
  auto dtype = GENERATE(cpu_dtype::float32, cpu_dtype::bfloat16);
  auto which = GENERATE(from_range(other_instructions()));
  INFO(to_string(which) << ' ' << to_string(dtype));
  std::vector<float> gate(32, 1.0f);
  auto up = gate;
  gate[3] = up[5] = std::nanf("");
  elements y(dtype, 32);
  kernels_for(which, dtype).activation({gate.data(), up.data(), 32, 1, 32, y.at(0), 32});
  CHECK(std::isnan(y.value(3)));
  CHECK(std::isnan(y.value(5)));
  CHECK(std::isfinite(y.value(4)));
  std::vector<float> x(32, 1.0f);
  x[7] = std::nanf("");
  kernels_for(which, dtype).norm({x.data(), up.data(), 32, 32, 1e-5f, y.at(0)});
  CHECK(std::isnan(y.value(0)));
}

TEST_CASE("a piece of logits is summarised by its largest and the sum of exponentials") {
  auto which = GENERATE(from_range(other_instructions()));
  auto count = GENERATE(1u, 15u, 16u, 17u, 1000u, 1024u);
  auto x = some_numbers(1024, 61);
  for (auto& v : x)
    v *= 30;
  // Beyond the count lies something larger that must not be seen.
  for (std::size_t i = count; i < x.size(); ++i)
    x[i] = 1000.0f;
  auto& kernels = kernels_for(which, cpu_dtype::float32);
  logit_piece piece{};
  kernels.summary({x.data(), count, &piece});
  const auto highest = *std::max_element(x.begin(), x.begin() + count);
  double sum = 0;
  for (std::uint32_t i = 0; i < count; ++i)
    sum += std::exp(static_cast<double>(x[i] - highest));
  CHECK(piece.peak == highest);
  CHECK(std::abs(static_cast<double>(piece.sum) / sum - 1) < 2e-6);
  x[count / 2] = std::numeric_limits<float>::quiet_NaN();
  kernels.summary({x.data(), count, &piece});
  CHECK(std::isnan(piece.sum));
  x[count / 2] = std::numeric_limits<float>::infinity();
  kernels.summary({x.data(), count, &piece});
  CHECK(!std::isfinite(piece.sum + piece.peak));
}
