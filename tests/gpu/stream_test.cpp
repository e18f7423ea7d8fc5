#include "gpu/stream.hpp"

#include "gpu/event.hpp"
#include "tests/gpu/lane_kernels.hpp"
#include "tests/gpu/test_device.hpp"

using namespace lorica;
using namespace lorica::testing;

TEST_CASE("numbers come back from the device as they went, and filled memory is filled") {
  auto d = open_test_device();
  if (!d) return;
  auto x = exact_numbers(1001, 1);
  auto* there = d->put(x);
  auto* copy = d->room<float>(x.size());
  must(d->stream.copy(copy, there, x.size() * sizeof(float)));
  must(d->stream.fill(there, std::byte{0}, 8));
  CHECK(d->get(copy, x.size()) == x);
  x[0] = x[1] = 0;
  CHECK(d->get(there, x.size()) == x);
}

TEST_CASE("a stream waits for the event of another") {
  auto d = open_test_device();
  if (!d) return;
  auto side = must(gpu::stream::create(gpu::stream_priority::high));
  auto done = must(gpu::event::create());
  auto* counter = d->put(std::vector<std::uint32_t>{5});
  auto pinned = must(gpu::pinned_buffer::allocate(4));
  must(count_up(counter, side));
  must(done.record(side));
  must(d->stream.wait_for(done));
  must(d->stream.to_host(pinned.data(), counter, 4));
  must(d->stream.synchronise());
  CHECK(pinned.as<std::uint32_t>()[0] == 6);
  CHECK(must(done.reached()));
}

TEST_CASE("an event keeps the time between two points") {
  auto d = open_test_device();
  if (!d) return;
  auto from = must(gpu::event::create_timed()), to = must(gpu::event::create_timed());
  auto* counter = d->put(std::vector<std::uint32_t>{0});
  must(from.record(d->stream));
  must(count_up(counter, d->stream));
  must(to.record(d->stream));
  must(to.wait());
  CHECK(must(gpu::event::milliseconds(from, to)) > 0);
}
