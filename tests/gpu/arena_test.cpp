#include "gpu/arena.hpp"

#include "tests/gpu/test_device.hpp"

using namespace lorica;
using namespace lorica::testing;

TEST_CASE("pieces of an arena are aligned, charged by part and told apart") {
  if (!open_test_device()) return;
  auto memory = must(gpu::arena::allocate(4096));
  auto* first = must(memory.take(memory_part::weights, "embedding", 1));
  auto* second = must(memory.take<float>(memory_part::kv, "keys", 65));
  CHECK(reinterpret_cast<std::uintptr_t>(first) % gpu::arena::alignment == 0);
  CHECK(reinterpret_cast<std::byte*>(second) == first + 256);
  CHECK(memory.used(memory_part::weights) == 256);
  CHECK(memory.used(memory_part::kv) == 512);
  CHECK(memory.used() == 768);
  REQUIRE(memory.pieces().size() == 2);
  CHECK(memory.pieces()[1].name == "keys");
}

TEST_CASE("a full arena tells what needed how much, and gives what is left") {
  if (!open_test_device()) return;
  auto memory = must(gpu::arena::allocate(1024));
  static_cast<void>(must(memory.take(memory_part::weights, "layers", 300)));
  for (std::uint64_t bytes : {std::uint64_t{513}, ~std::uint64_t{0}}) {
    auto over = memory.take(memory_part::kv, "keys", bytes);
    REQUIRE_FALSE(over);
    CHECK(over.error().code == errc::out_of_memory);
    CHECK(over.error().text ==
          "kv: 'keys' needs " + std::to_string(bytes) + " bytes of device memory; 512 of 1024 are left");
  }
  CHECK(memory.take(memory_part::kv, "keys", 512));
}

TEST_CASE("an arena larger than the device says how much there is") {
  if (!open_test_device()) return;
  auto memory = gpu::arena::allocate(std::uint64_t{1} << 50);
  REQUIRE_FALSE(memory);
  CHECK(memory.error().code == errc::out_of_memory);
  CHECK(memory.error().text.find("needs 1125899906842624 bytes") != std::string::npos);
}
