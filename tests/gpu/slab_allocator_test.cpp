#include "gpu/slab_allocator.hpp"

#include <map>
#include <random>

#include "tests/catch.hpp"

using lorica::gpu::slab_allocator;

namespace {

constexpr auto page = slab_allocator::page_bytes;

}  // namespace

TEST_CASE("a piece of adapters takes at most a quarter more than it is") {
  for (std::uint64_t bytes = 1; bytes < std::uint64_t{300} << 20; bytes = bytes * 21 / 20 + 1) {
    const auto charged = slab_allocator::charged(bytes);
    INFO(bytes << " bytes");
    REQUIRE(charged >= bytes);
    REQUIRE(charged <= bytes + bytes / 4 + slab_allocator::alignment);
  }
  CHECK(slab_allocator::charged(2621440) == 2621440);  // a layer of rank 16 of a 7B model
}

TEST_CASE("pieces of one class share slabs, and empty pages serve any class again") {
  slab_allocator slabs(16 * page);
  std::vector<std::uint64_t> small;
  for (int i = 0; i < 5; ++i)
    small.push_back(*slabs.take(1000));
  CHECK(slabs.empty_pages() == 15);
  CHECK(slabs.used() == 5 * 1024);
  const auto large = *slabs.take(15 * page);
  CHECK(slabs.empty_pages() == 0);
  CHECK(!slabs.take(4000));
  CHECK(slabs.take(1024));
  slabs.give_back(large);
  CHECK(slabs.take(4000));
}

TEST_CASE("neighbouring pages that came back one by one hold a long piece") {
  slab_allocator slabs(8 * page);
  std::vector<std::uint64_t> all;
  for (int i = 0; i < 8; ++i)
    all.push_back(*slabs.take(page));
  CHECK(!slabs.take(1));
  for (int i : {2, 5, 3, 4})
    slabs.give_back(all[static_cast<std::size_t>(i)]);
  CHECK(!slabs.take(5 * page));
  CHECK(*slabs.take(4 * page) == 2 * page);
}

TEST_CASE("pieces never overlap, whatever comes and goes, and all comes back") {
  std::mt19937 random(1);
  slab_allocator slabs(512 * page);
  std::map<std::uint64_t, std::uint64_t> alive;  // offset: bytes
  std::uint64_t charged = 0;
  for (int i = 0; i < 40000; ++i) {
    if (random() % 2 == 0 || alive.empty()) {
      const std::uint64_t bytes = random() % (std::uint64_t{1} << random() % 20) + 1;
      const auto at = slabs.take(bytes);
      if (!at) continue;
      charged += slab_allocator::charged(bytes);
      const auto next = alive.lower_bound(*at);
      REQUIRE(*at % slab_allocator::alignment == 0);
      REQUIRE(*at + bytes <= 512 * page);
      REQUIRE((next == alive.end() || *at + bytes <= next->first));
      REQUIRE((next == alive.begin() || std::prev(next)->first + std::prev(next)->second <= *at));
      alive[*at] = bytes;
    } else {
      const auto one = std::next(alive.begin(), static_cast<std::ptrdiff_t>(random() % alive.size()));
      charged -= slab_allocator::charged(one->second);
      slabs.give_back(one->first);
      alive.erase(one);
    }
    REQUIRE(slabs.used() == charged);
  }
  for (auto& [at, bytes] : alive)
    slabs.give_back(at);
  CHECK(slabs.used() == 0);
  CHECK(slabs.empty_pages() == 512);
}
