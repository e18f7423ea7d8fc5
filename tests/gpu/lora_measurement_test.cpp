#include "gpu/lora_measurement.hpp"

#include <algorithm>

#include "tests/gpu/test_device.hpp"

#ifdef LORICA_EMULATED_DEVICE
#include "tests/emulated_device/runtime.hpp"
#endif

using namespace lorica;
using namespace lorica::testing;

namespace {

constexpr std::uint32_t rows = 64, depth = 72, widest = 3 * 64;
constexpr std::uint64_t memory_bytes = 1 << 17;  // of one or two of the largest adapters

/// A map of two parts and one of one part, with buffers for `rows` rows.
struct bench {
  explicit bench(test_device& d) {
    const auto floats = std::uint64_t{rows} * widest;
    for (auto& s : sites) {
      s.x = d.room<gpu::bfloat>(rows * depth);
      s.x_stride = s.depth = depth;
      s.inputs = d.room<float>(floats);
      s.y = d.room<gpu::bfloat>(rows * 80);
      s.y_stride = 80;
    }
    sites[0].parts = 2;
    sites[0].first_output[1] = 33;
    sites[0].first_output[2] = 80;
    sites[1].first_output[1] = 41;
    what = {sites,
            rows,
            widest,
            floats,
            must(d.memory.take(memory_part::adapters, "adapters", memory_bytes)),
            memory_bytes,
            std::chrono::hours(1)};
  }

  std::vector<gpu::lora_args> sites{2};
  gpu::lora_bench what;
};

}  // namespace

TEST_CASE("both ways of sharing rows out are timed, and without room the choice stays") {
  auto d = open_test_device();
  if (!d) return;
  bench b(*d);
  const auto chosen = must(gpu::measure_lora(b.what, d->stream));
  CHECK(chosen.narrow >= 7);
  CHECK(chosen.wide >= 7);
  for (std::uint64_t bytes : {std::uint64_t{0}, std::uint64_t{20'000}}) {
    auto small = b.what;
    small.bytes = bytes;
    CHECK(must(gpu::measure_lora(small, d->stream)) == gpu::lora_choice{});
  }
  auto hurried = b.what;
  hurried.longest = std::chrono::milliseconds(-1);
  CHECK(must(gpu::measure_lora(hurried, d->stream)) == gpu::lora_choice{});
  auto shallow = b.what;
  shallow.widest = 47;
  CHECK(must(gpu::measure_lora(shallow, d->stream)) == gpu::lora_choice{});
}

#ifdef LORICA_EMULATED_DEVICE
namespace {

/// Times as they are asked for: of each rank and number of rows few and then many, three launches each.
void script(const std::vector<std::pair<float, float>>& points) {
  std::vector<float> times;
  for (auto [few, many] : points)
    for (float t : {few, many})
      for (float more : {5.0f, 0.0f, 9.0f})
        times.push_back(t + more);
  emulated_device::script_times(std::move(times));
}

}  // namespace

TEST_CASE("the fastest of some launches decides, for small ranks and for large ones") {
  auto d = open_test_device();
  bench b(*d);
  script({{1, 2}, {1, 2}, {2, 1}, {4, 1}, {2, 1}, {2, 1}, {2, 1}, {2, 1}});
  CHECK(must(gpu::measure_lora(b.what, d->stream)) == gpu::lora_choice{16, 7});
  script({{1, 2}, {1, 2}, {1, 2}, {1, 2}, {1, 2}, {1, 2}, {1, 2}, {2, 1}});
  CHECK(must(gpu::measure_lora(b.what, d->stream)) == gpu::lora_choice{64, 32});
  emulated_device::script_times({});
  CHECK(must(gpu::measure_lora(b.what, d->stream)) == gpu::lora_choice{});  // all alike
}

TEST_CASE("whatever call fails while it is measured, the error is told") {
  auto d = open_test_device();
  bench b(*d);
  b.what.rows = 8;  // one number of rows is enough
  emulated_device::fail_after(~std::uint64_t{0} - 1, cudaErrorInvalidValue);
  must(gpu::measure_lora(b.what, d->stream));
  const auto calls = emulated_device::calls_made();
  REQUIRE(calls > 100);
  const auto things = emulated_device::things_alive();
  for (std::uint64_t at = 0; at < calls; at += 1 + calls / 60) {
    INFO("call " << at << " of " << calls);
    emulated_device::fail_after(at, cudaErrorInvalidValue);
    CHECK_FALSE(gpu::measure_lora(b.what, d->stream));
    emulated_device::reset();
    CHECK(emulated_device::things_alive() == things);
  }
}
#endif
