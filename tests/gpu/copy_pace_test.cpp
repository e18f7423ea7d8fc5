#include "gpu/copy_pace.hpp"

#include <limits>

#include "tests/gpu/test_device.hpp"

#ifdef LORICA_EMULATED_DEVICE
#include "tests/emulated_device/runtime.hpp"
#endif

using namespace lorica;
using namespace lorica::testing;

TEST_CASE("what copies will take follows what they took, and nonsense changes nothing") {
  auto d = open_test_device();
  if (!d) return;
  auto pace = must(gpu::copy_pace::create());
  CHECK(pace.seconds(10'000'000'000) == 1);
  pace.learn(1000, 2);
  CHECK(pace.seconds(500) == 1);
  for (double none :
       {0.0, -1.0, std::numeric_limits<double>::infinity(), std::numeric_limits<double>::quiet_NaN()})
    pace.learn(1000, none);
  pace.learn(0, 1);
  CHECK(pace.seconds(500) == 1);
  for (int i = 0; i < 60; ++i)
    pace.learn(1000, 1);
  CHECK(pace.seconds(1000) == Approx(1));
}

#ifdef LORICA_EMULATED_DEVICE
TEST_CASE("copies are measured one set at a time, once the device is past them") {
  auto d = open_test_device();
  auto pace = must(gpu::copy_pace::create());
  emulated_device::script_times({500, 4000});
  must(pace.begin(d->stream));
  must(pace.end(d->stream, 1000));
  must(pace.begin(d->stream));  // the first set is not done: this one is not measured
  must(pace.end(d->stream, 77));
  CHECK(pace.seconds(1000) < 1e-6);
  must(d->stream.synchronise());
  must(pace.look());
  CHECK(pace.seconds(1000) == Approx(0.5));
  must(pace.look());
  CHECK(pace.seconds(1000) == Approx(0.5));
  must(pace.begin(d->stream));
  must(pace.end(d->stream, 2000));
  must(d->stream.synchronise());
  must(pace.begin(d->stream));
  CHECK(pace.seconds(1000) == Approx(1000 / (0.75 * 2000 + 0.25 * 500)));
  emulated_device::script_times({});
}
#endif
