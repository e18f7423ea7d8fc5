#include "gpu/activation.hpp"

#include "cpu/kernels.hpp"
#include "gpu/softcap.hpp"
#include "tests/gpu/test_device.hpp"

using namespace lorica;
using namespace lorica::testing;

TEST_CASE("both executors activate to the same numbers but for rounding") {
  auto d = open_test_device();
  if (!d) return;
  auto kind = GENERATE(activation_kind::silu, activation_kind::gelu, activation_kind::gelu_tanh);
  constexpr std::uint32_t width = 4096;
  std::vector<float> gate(width);
  for (std::uint32_t i = 0; i < width; ++i)
    gate[i] = (static_cast<float>(i) - width / 2.0f) / 128;  // [-16, 16)
  const auto up = exact_numbers(width, 6);
  auto both = gate;
  both.insert(both.end(), up.begin(), up.end());
  std::vector<std::uint16_t> on_cpu(width);
  kernels_for(isa::portable, cpu_dtype::bfloat16)
      .activation(
          {both.data(), both.data() + width, width, 1, width, on_cpu.data(), width, kind, nullptr, 0});
  gpu::activation_args a;
  auto* at = d->put(both);
  a.gate = at;
  a.up = at + width;
  a.format = gpu::number_format::float32;
  a.stride = a.y_stride = width;
  a.rows = 1;
  a.width = width;
  a.y = d->room<gpu::bfloat>(width);
  a.kind = kind;
  must(gpu::activate(a, d->stream));
  const auto on_gpu = as_float(d->get(a.y, width));
  for (std::uint32_t i = 0; i < width; ++i) {
    const auto expected = static_cast<double>(gpu::to_float(gpu::bfloat{on_cpu[i]}));
    INFO("gate " << gate[i] << " up " << up[i]);
    // A unit of the last place; of erf the CPU has 1.5e-7.
    CHECK(std::abs(static_cast<double>(on_gpu[i]) - expected) < std::abs(expected) / 127 + 2e-6);
  }
}

TEST_CASE("both executors cap to the same numbers but for rounding") {
  auto d = open_test_device();
  if (!d) return;
  auto x = exact_numbers(1024, 7);
  for (auto& v : x)
    v *= 200;
  auto on_cpu = x;
  kernels_for(isa::portable, cpu_dtype::bfloat16).softcap({on_cpu.data(), on_cpu.size(), 30});
  auto* at = d->put(x);
  must(gpu::softcap({at, x.size(), 1, static_cast<std::uint32_t>(x.size()), 30}, d->stream));
  const auto on_gpu = d->get(at, x.size());
  for (std::size_t i = 0; i < x.size(); ++i)
    CHECK(std::abs(static_cast<double>(on_gpu[i]) - static_cast<double>(on_cpu[i])) < 2e-5);
}
