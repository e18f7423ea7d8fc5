#include "gpu/pinned_pool.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <thread>
#include <vector>

#include "gpu/adapter_packer.hpp"
#include "tests/catch.hpp"
#include "tests/gpu/adapter_weights.hpp"

using namespace lorica;
using namespace lorica::testing;
using gpu::pinned_pool;

namespace {

constexpr std::size_t mebi = std::size_t{1} << 20;

}  // namespace

TEST_CASE("pinned memory that was given back is used again") {
  if (!open_test_device()) return;
  const pinned_pool pool(8 * mebi);
  auto first = must(pool.take(3 * mebi)), second = must(pool.take(3 * mebi));
  const auto* one = first.data();
  CHECK(one != second.data());
  CHECK((first.size() >= 3 * mebi && first.size() <= 3 * mebi + 3 * mebi / 8));
  CHECK(pool.free_bytes() == 0);
  { const auto gone = std::move(first); }
  CHECK(first.data() == nullptr);
  CHECK(pool.free_bytes() == second.size());
  auto again = must(pool.take(3 * mebi - 5));  // about as much
  CHECK(again.data() == one);
  CHECK(pool.free_bytes() == 0);
  again = std::move(second);
  CHECK(must(pool.take(3 * mebi)).data() == one);
}

TEST_CASE("little is not taken from much, nor much from little") {
  if (!open_test_device()) return;
  const pinned_pool pool(64 * mebi);
  const auto* large = must(pool.take(8 * mebi)).data();
  auto small = must(pool.take(mebi));
  CHECK(small.data() != large);
  auto larger = must(pool.take(9 * mebi));
  CHECK(larger.data() != large);
  CHECK(pool.free_bytes() == 8 * mebi);
  // Of two that fit the smaller one.
  { const auto gone = std::move(larger); }
  CHECK(must(pool.take(8 * mebi)).data() == large);
}

TEST_CASE("what is free beyond the bound is unpinned by the next who takes") {
  if (!open_test_device()) return;
  const pinned_pool pool(4 * mebi);
  {
    std::vector<pinned_pool::piece> all;
    for (int i = 0; i < 4; ++i)
      all.push_back(must(pool.take(2 * mebi)));
  }
  CHECK(pool.free_bytes() == 8 * mebi);  // nobody who gives back waits for the driver
  const auto other = must(pool.take(mebi));
  CHECK(pool.free_bytes() == 4 * mebi);
}

TEST_CASE("a piece may outlive its pool") {
  if (!open_test_device()) return;
  pinned_pool::piece left;
  {
    const pinned_pool pool(mebi);
    left = must(pool.take(100));
  }
  std::memset(left.data(), 7, left.size());
  CHECK(left.data()[99] == std::byte{7});
  CHECK(pinned_pool::piece().data() == nullptr);
}

TEST_CASE("no two have the same pinned memory, whatever threads take and give back") {
  const auto device = open_test_device();
  if (!device) return;
  const pinned_pool pool(mebi);
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      if (!device->device.use()) ++wrong;
      std::vector<pinned_pool::piece> mine;
      for (int i = 0; i < 200; ++i) {
        auto taken = pool.take(std::size_t{70'000} + static_cast<std::size_t>(i % 3) * 40'000);
        if (!taken) {
          ++wrong;
          continue;
        }
        std::memset(taken->data(), t + 1, taken->size());
        mine.push_back(*std::move(taken));
        if (i % 4 != 3) continue;
        for (auto& piece : mine)
          wrong += std::any_of(piece.data(), piece.data() + piece.size(),
                               [&](std::byte b) { return b != static_cast<std::byte>(t + 1); });
        mine.clear();
      }
    });
  for (auto& t : threads)
    t.join();
  CHECK(wrong == 0);
}

TEST_CASE("an adapter takes the pinned memory of one that has gone, and none of its numbers") {
  if (!open_test_device()) return;
  const auto m = small_model();
  const gpu::gpu_adapter_packer packer(exact_weights(m));
  auto pack = [&](std::uint32_t rank) {
    adapter_weights w;
    w.sites = {site_of(m, 0, projection::q, rank)};
    return std::dynamic_pointer_cast<const gpu::gpu_packed_adapter>(must(packer.pack(w, {})));
  };
  auto before = pack(8);
  const auto* memory = before->data();
  before.reset();
  const auto after = pack(3);
  REQUIRE(after->data() == memory);
  // Between a row's numbers and the next row there are zeros.
  auto& group = after->groups()[gpu::group_index(0, lora_group::qkv, m.layers)];
  for (std::size_t r = 0; r < 3; ++r)
    for (std::size_t k = 41; k < group.a_stride; ++k)
      CHECK(gpu::to_float(group.a[r * group.a_stride + k]) == 0);
}
