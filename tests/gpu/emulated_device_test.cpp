// The emulated device notices what a real one would only do wrong now and then.
#include <cuda_runtime.h>

#include "gpu/event.hpp"
#include "gpu/graph.hpp"
#include "gpu/lanes.cuh"
#include "gpu/launch.cuh"
#include "tests/gpu/lane_kernels.hpp"
#include "tests/gpu/test_device.hpp"

using namespace lorica;
using namespace lorica::testing;

namespace {

/// A clean device again, whatever a test did to it.
struct clean_device {
  ~clean_device() { emulated_device::reset(); }
};

void one_barrier_for_half() {
  if (threadIdx.x < 32) __syncthreads();
  if (threadIdx.x >= 32) __syncwarp(1);
}

void different_operations() {
  if (gpu::lane() < 16)
    static_cast<void>(__shfl_xor_sync(gpu::all_lanes, 1.0f, 1));
  else
    static_cast<void>(__ballot_sync(gpu::all_lanes, 1));
}

void mirrored_without_barrier(const float* x, float* out) {
  auto* held = gpu::dynamic_shared<float>();
  held[threadIdx.x] = x[threadIdx.x];
  out[threadIdx.x] = held[blockDim.x - 1 - threadIdx.x];
}

void copied_without_waiting(const float* x, float* out) {
  auto* held = gpu::dynamic_shared<float>();
  if (threadIdx.x < 8) gpu::copy_async(held + threadIdx.x * 4, x + threadIdx.x * 4);
  gpu::commit_copies();
  __syncthreads();
  out[threadIdx.x] = held[threadIdx.x];
}

void copied_askew(const float* x, float* out) {
  auto* held = gpu::dynamic_shared<float>();
  if (threadIdx.x == 0) gpu::copy_async(held, x + 1);
  gpu::commit_copies();
  gpu::wait_copies<0>();
  out[threadIdx.x] = held[0];
}

void copied_too_far(const float* x, float* out) {
  auto* held = gpu::dynamic_shared<float>();
  if (threadIdx.x == 0) gpu::copy_async(held + blockDim.x, x);
  gpu::commit_copies();
  gpu::wait_copies<0>();
  out[threadIdx.x] = held[0];
}

void half_of_it_waits(float* out) {
  if (threadIdx.x < 32) gpu::wait_for_previous();
  out[threadIdx.x] = 1;
}

void holds_what_is_there(float* out, float value) {
  __shared__ float held[64];
  out[threadIdx.x] = held[threadIdx.x];
  held[threadIdx.x] = value;
}

void uneven_exit(float* out) {
  if (threadIdx.x >= 40) return;
  __syncthreads();
  out[threadIdx.x] = 1;
}

bool has_nan(const std::vector<float>& values) {
  return std::any_of(values.begin(), values.end(), [](float x) { return std::isnan(x); });
}

}  // namespace

TEST_CASE("threads that wait for each other in different places end the launch") {
  clean_device clean;
  auto d = open_test_device();
  auto kernel = GENERATE(&one_barrier_for_half, &different_operations);
  must(gpu::launch("a broken kernel", d->stream, {dim3(1), dim3(64)}, kernel));
  auto done = d->stream.synchronise();
  REQUIRE_FALSE(done);
  CHECK(done.error().code == errc::generation_failed);
  CHECK_FALSE(emulated_device::last_fault().empty());
  // A broken device stays broken, and a new one works.
  CHECK_FALSE(d->stream.synchronise());
  emulated_device::reset();
  auto* counter = d->put(std::vector<std::uint32_t>{0});
  must(count_up(counter, d->stream));
  CHECK(d->get(counter, 1)[0] == 1);
}

TEST_CASE("threads that have ended are not waited for") {
  auto d = open_test_device();
  run_threads_in(GENERATE(0, 1));
  auto* out = d->room<float>(64);
  must(gpu::launch("uneven", d->stream, {dim3(1), dim3(64)}, uneven_exit, out));
  CHECK(d->get(out, 40) == std::vector<float>(40, 1.0f));
}

TEST_CASE("a missing barrier shows in one of the orders of threads") {
  auto d = open_test_device();
  auto* x = d->put(exact_numbers(64, 1));
  bool seen = false;
  for (int order : thread_orders()) {
    run_threads_in(order);
    auto* out = d->room<float>(64);
    must(gpu::launch("mirrored", d->stream, {dim3(1), dim3(64), 256}, mirrored_without_barrier, x, out));
    seen = seen || has_nan(d->get(out, 64));
  }
  CHECK(seen);
}

TEST_CASE("an asynchronous copy that nobody waited for is not there") {
  run_threads_in(0);
  auto d = open_test_device();
  auto* out = d->room<float>(32);
  must(gpu::launch("copied", d->stream, {dim3(1), dim3(32), 128}, copied_without_waiting,
                   d->put(exact_numbers(32, 1)), out));
  CHECK(has_nan(d->get(out, 32)));
}

TEST_CASE("work of another stream that no event orders has not been done") {
  auto d = open_test_device();
  auto side = must(gpu::stream::create());
  auto* counter = d->put(std::vector<std::uint32_t>{5});
  must(count_up(counter, side));
  CHECK(d->get(counter, 1)[0] == 5);
  must(side.synchronise());
  CHECK(d->get(counter, 1)[0] == 6);
}

TEST_CASE("a copy reads its pinned source when it runs, not when it is ordered") {
  auto d = open_test_device();
  auto pinned = must(gpu::pinned_buffer::allocate(4));
  auto* there = d->room<std::uint32_t>(1);
  pinned.as<std::uint32_t>()[0] = 1;
  must(d->stream.to_device(there, pinned.data(), 4));
  pinned.as<std::uint32_t>()[0] = 2;
  CHECK(d->get(there, 1)[0] == 2);
}

TEST_CASE("a copy wants pinned memory on one side and memory of the device on the other") {
  auto d = open_test_device();
  auto* there = d->room<std::uint32_t>(1);
  std::vector<std::uint32_t> plain(1);
  CHECK_FALSE(d->stream.to_device(there, plain.data(), 4));
  auto pinned = must(gpu::pinned_buffer::allocate(4));
  CHECK_FALSE(d->stream.to_device(pinned.data(), pinned.data(), 4));
  CHECK_FALSE(d->stream.to_host(pinned.data(), there, 8));
}

TEST_CASE("a stream that was forked and not joined spoils the recording") {
  auto d = open_test_device();
  auto side = must(gpu::stream::create());
  auto fork = must(gpu::event::create());
  auto* counter = d->put(std::vector<std::uint32_t>{0});
  auto recorded = gpu::graph::capture(d->stream, [&]() -> result<void> {
    must(fork.record(d->stream));
    must(side.wait_for(fork));
    return count_up(counter, side);
  });
  CHECK_FALSE(recorded);
}

TEST_CASE("nothing waits or allocates while a graph is recorded") {
  auto d = open_test_device();
  auto waited = gpu::graph::capture(d->stream, [&] { return d->stream.synchronise(); });
  CHECK_FALSE(waited);
  auto allocated = gpu::graph::capture(d->stream, [&]() -> result<void> {
    auto more = gpu::arena::allocate(256);
    if (!more) return more.error();
    return {};
  });
  CHECK_FALSE(allocated);
}

TEST_CASE("more shared memory than a block can have, or a block of too many threads, is refused") {
  auto d = open_test_device();
  auto* out = d->room<float>(64);
  CHECK_FALSE(gpu::launch("uneven", d->stream, {dim3(1), dim3(64), 300u << 10}, uneven_exit, out));
  CHECK_FALSE(gpu::launch("uneven", d->stream, {dim3(1), dim3(1025)}, uneven_exit, out));
}

TEST_CASE("asynchronous copies lie on 16 bytes and stay in the shared memory") {
  clean_device clean;
  auto d = open_test_device();
  run_threads_in(GENERATE(0, 1));
  const auto kernel = GENERATE(&copied_askew, &copied_too_far);
  const auto* x = d->put(std::vector<float>(64, 1.0f));
  auto* out = d->room<float>(64);
  must(gpu::launch("a copy", d->stream, {dim3(1), dim3(64), 64 * sizeof(float)}, kernel, x, out));
  CHECK_FALSE(d->stream.synchronise());
  CHECK_THAT(emulated_device::last_fault(), Catch::StartsWith("an asynchronous copy"));
}

TEST_CASE("arrays of shared memory hold no numbers when a launch begins") {
  auto d = open_test_device();
  auto* out = d->room<float>(64);
  for (int launch = 0; launch < 2; ++launch) {
    must(gpu::launch("holds", d->stream, {dim3(1), dim3(64)}, holds_what_is_there, out, 2.0f));
    const auto found = d->get(out, 64);
    CHECK(std::ranges::all_of(found, [](float x) { return std::isnan(x); }));
  }
}

TEST_CASE("all threads of an early launch wait for the one in front, and older devices have none") {
  clean_device clean;
  auto d = open_test_device();
  auto* out = d->room<float>(64);
  const gpu::launch_shape shape{dim3(1), dim3(64), 0, true};
  must(gpu::launch("half", d->stream, shape, half_of_it_waits, out));
  CHECK_FALSE(d->stream.synchronise());
  CHECK_THAT(emulated_device::last_fault(), Catch::Contains("never waited"));
  emulated_device::reset();
  emulated_device::set_capability({8, 0});
  const auto older = must(gpu::stream::create());
  CHECK_FALSE(older.begins_early());
  must(gpu::launch("half", older, shape, half_of_it_waits, out));
  must(older.synchronise());
  emulated_device::set_capability({});
}

TEST_CASE("while a graph is recorded nothing waits, asks or allocates") {
  auto d = open_test_device();
  auto done = must(gpu::event::create());
  must(done.record(d->stream));
  must(d->stream.synchronise());
  const auto beside = must(gpu::stream::create());
  const auto refused = [&](auto body) {
    auto recorded = gpu::graph::capture(d->stream, [&]() -> result<void> {
      auto r = body();
      return r ? result<void>() : r.error();
    });
    CHECK_FALSE(recorded);
  };
  refused([&] { return done.reached(); });
  refused([&] { return done.wait(); });
  refused([&] { return beside.synchronise(); });
  refused([&] { return gpu::pinned_buffer::allocate(16); });
  refused([&] { return gpu::arena::allocate(16); });
}
