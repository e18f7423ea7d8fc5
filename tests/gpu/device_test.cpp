#include "gpu/device.hpp"

#include "tests/gpu/test_device.hpp"

using namespace lorica;
using namespace lorica::testing;

TEST_CASE("a device tells what it is and what is free") {
  auto d = open_test_device();
  if (!d) return;
  auto& p = d->device.properties();
  CHECK_FALSE(p.name.empty());
  CHECK(p.major >= 8);
  CHECK(p.multiprocessors > 0);
  CHECK(p.shared_bytes >= 48u << 10);
  auto free = must(d->device.free_bytes());
  CHECK(free > 0);
  CHECK(free <= p.memory_bytes - test_memory);
}

TEST_CASE("a device that is not there is told by its number") {
  if (!open_test_device()) return;
  auto d = gpu::device::open(1000);
  REQUIRE_FALSE(d);
  CHECK(d.error().code == errc::bad_config);
  CHECK(d.error().text.find("1000") != std::string::npos);
}
