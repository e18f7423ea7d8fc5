#include "cpu/mapped_memory.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <vector>

#include "tests/catch.hpp"

using namespace lorica;

namespace {

constexpr std::uint64_t mib = 1 << 20;

std::uint64_t page() {
  return static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

std::uint64_t resident(const mapped_memory& m) {
  std::vector<unsigned char> pages(m.size() / page());
  REQUIRE(::mincore(m.data(), m.size(), pages.data()) == 0);
  std::uint64_t out = 0;
  for (auto p : pages)
    out += p & 1;
  return out * page();
}

mapped_memory filled(std::uint64_t bytes, page_kind pages) {
  auto out = mapped_memory::allocate(bytes, "a test", pages);
  REQUIRE(out);
  std::memset(out->data(), 1, out->size());
  return *std::move(out);
}

}  // namespace

TEST_CASE("a byte written in small pages costs one of them") {
  auto memory = mapped_memory::allocate(8 * mib, "a test", page_kind::small);
  REQUIRE(memory);
  memory->data()[3 * mib] = std::byte{1};
  CHECK(resident(*memory) == page());
}

TEST_CASE("whole pages go back and are zero, the rest of the bytes stays") {
  auto memory = filled(mib, page_kind::large);  // too small for large pages
  memory.give_back(page() + 1, 4 * page() - 1);
  CHECK(resident(memory) == mib - page());
  CHECK(memory.data()[2 * page()] == std::byte{0});
  CHECK(memory.data()[2 * page() - 1] == std::byte{1});
  CHECK(memory.data()[3 * page()] == std::byte{1});
  memory.give_back(5 * page(), 5 * page());
  CHECK(memory.data()[5 * page()] == std::byte{1});
}

TEST_CASE("large pages go back whole, and what is behind the last one with it") {
  auto memory = filled(6 * mib + page(), page_kind::large);
  memory.give_back(mib, 5 * mib);
  CHECK(resident(memory) == 4 * mib + page());
  CHECK(memory.data()[2 * mib] == std::byte{0});
  CHECK(memory.data()[2 * mib - 1] == std::byte{1});
  CHECK(memory.data()[4 * mib] == std::byte{1});
  auto moved = std::move(memory);
  const auto before = resident(moved);
  moved.give_back(5 * mib, moved.size());
  CHECK(resident(moved) == before - page());
  moved.give_back(0, moved.size());
  CHECK(resident(moved) == 0);
  mapped_memory().give_back(0, 0);
}
