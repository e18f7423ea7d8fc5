#include "gpu/graph.hpp"

#include "gpu/event.hpp"
#include "tests/gpu/lane_kernels.hpp"
#include "tests/gpu/test_device.hpp"

using namespace lorica;
using namespace lorica::testing;

TEST_CASE("a graph runs what was recorded, over two streams, as often as it is started") {
  auto d = open_test_device();
  if (!d) return;
  auto side = must(gpu::stream::create());
  auto fork = must(gpu::event::create()), join = must(gpu::event::create());
  auto* counters = d->put(std::vector<std::uint32_t>{0, 10});
  auto recorded = must(gpu::graph::capture(d->stream, [&]() -> result<void> {
    must(fork.record(d->stream));
    must(side.wait_for(fork));
    must(count_up(counters + 1, side));
    must(join.record(side));
    must(count_up(counters, d->stream));
    must(d->stream.wait_for(join));
    return count_up(counters + 1, d->stream);
  }));
  CHECK(d->get(counters, 2) == std::vector<std::uint32_t>{0, 10});
  for (int i = 0; i < 3; ++i)
    must(recorded.launch(d->stream));
  CHECK(d->get(counters, 2) == std::vector<std::uint32_t>{3, 16});
}

TEST_CASE("a recording that fails gives its error, and the stream goes on") {
  auto d = open_test_device();
  if (!d) return;
  auto* counter = d->put(std::vector<std::uint32_t>{0});
  auto recorded = gpu::graph::capture(d->stream, [&]() -> result<void> {
    must(count_up(counter, d->stream));
    return fail(errc::invalid, "not this time");
  });
  REQUIRE_FALSE(recorded);
  CHECK(recorded.error().text == "not this time");
  must(count_up(counter, d->stream));
  CHECK(d->get(counter, 1) == std::vector<std::uint32_t>{1});
}
