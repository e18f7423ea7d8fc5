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
