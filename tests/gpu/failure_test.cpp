// What happens when calls of the runtime fail, one after the other.
#include "gpu/event.hpp"
#include "gpu/gemm.hpp"
#include "gpu/graph.hpp"
#include "tests/emulated_device/matmul.hpp"
#include "tests/emulated_device/runtime.hpp"
#include "tests/gpu/lane_kernels.hpp"
#include "tests/gpu/test_device.hpp"

using namespace lorica;
using namespace lorica::testing;

namespace {

/// Everything that can be opened, and some work.
result<void> open_and_work() {
  auto device = gpu::device::open(0);
  if (!device) return device.error();
  auto memory = gpu::arena::allocate(8 << 20);
  if (!memory) return memory.error();
  auto stream = gpu::stream::create();
  if (!stream) return stream.error();
  auto done = gpu::event::create();
  if (!done) return done.error();
  auto pinned = gpu::pinned_buffer::allocate(256);
  if (!pinned) return pinned.error();
  auto products = gpu::gemm::create(*memory, {1 << 20, 4});
  if (!products) return products.error();
  auto piece = memory->take<gpu::bfloat>(memory_part::workspace, "numbers", 4096);
  if (!piece) return piece.error();
  gpu::gemm_args a;
  a.x = a.weights = *piece;
  a.x_stride = a.depth = 16;
  a.rows = a.outputs = 8;
  a.y = *piece + 1024;
  a.y_stride = 8;
  a.bias = *piece + 2048;
  if (auto ok = products->run(a, *stream); !ok) return ok;
  auto recorded = gpu::graph::capture(
      *stream, [&] { return count_up(reinterpret_cast<std::uint32_t*>(*piece), *stream); });
  if (!recorded) return recorded.error();
  if (auto ok = recorded->launch(*stream); !ok) return ok;
  if (auto ok = stream->fill(*piece, std::byte{1}, 16); !ok) return ok;
  if (auto ok = stream->to_host(pinned->data(), *piece, 16); !ok) return ok;
  if (auto ok = done->record(*stream); !ok) return ok;
  if (auto ok = stream->wait_for(*done); !ok) return ok;
  return done->wait();
}

}  // namespace

TEST_CASE("whatever call fails, the error is told and everything is given back") {
  const auto things = emulated_device::things_alive();
  const auto blas_things = emulated_device::blas_things_alive();
  emulated_device::fail_after(~std::uint64_t{0} - 1, cudaErrorInvalidValue);
  must(open_and_work());
  const auto calls = emulated_device::calls_made();
  REQUIRE(calls > 20);
  auto code = GENERATE(cudaErrorInvalidValue, cudaErrorMemoryAllocation);
  for (std::uint64_t at = 0; at < calls; ++at) {
    INFO("call " << at << " of " << calls);
    emulated_device::fail_after(at, code);
    auto done = open_and_work();
    emulated_device::reset();
    REQUIRE_FALSE(done);
    CHECK_FALSE(done.error().text.empty());
    CHECK(emulated_device::things_alive() == things);
    CHECK(emulated_device::blas_things_alive() == blas_things);
  }
}

TEST_CASE("without a device or a driver the error says what is missing") {
  emulated_device::set_devices(0, 0);
  auto none = gpu::list_devices();
  emulated_device::set_devices(1, std::size_t{1} << 30);
  REQUIRE_FALSE(none);
  CHECK(none.error().code == errc::bad_config);
  CHECK(none.error().text == "no CUDA device was found; one is needed, or --device cpu");
  emulated_device::fail_after(0, cudaErrorInsufficientDriver);
  auto no_driver = gpu::device::open(0);
  REQUIRE_FALSE(no_driver);
  CHECK(no_driver.error().code == errc::bad_config);
  CHECK(no_driver.error().text.starts_with("no CUDA device was found: no NVIDIA driver"));
}

TEST_CASE("an arena asks for one piece of device memory and gives it back") {
  const auto before = emulated_device::device_bytes();
  {
    auto memory = must(gpu::arena::allocate(1000));
    CHECK(emulated_device::device_bytes() == before + 1000);
  }
  CHECK(emulated_device::device_bytes() == before);
}

TEST_CASE("an algorithm is asked for once per shape, and once for all where it is pinned") {
  auto d = open_test_device();
  auto pinned_rows = GENERATE(0u, 16u);
  auto products = must(gpu::gemm::create(d->memory, {1 << 20, pinned_rows}));
  gpu::gemm_args a;
  a.x = a.weights = d->room<gpu::bfloat>(64 * 64);
  a.x_stride = a.depth = 64;
  a.outputs = 64;
  a.y = d->room<gpu::bfloat>(64 * 64);
  a.y_stride = 64;
  const auto before = emulated_device::heuristics_asked();
  for (int i = 0; i < 2; ++i)
    for (a.rows = 1; a.rows <= 5; ++a.rows)
      must(products.run(a, d->stream));
  CHECK(emulated_device::heuristics_asked() - before == (pinned_rows == 0 ? 5 : 1));
}
