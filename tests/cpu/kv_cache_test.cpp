#include "cpu/kv_cache.hpp"

#include <algorithm>
#include <vector>

#include "tests/catch.hpp"

using namespace lorica;

namespace {

model_config small_model() {
  model_config m;
  m.layers = 3;
  m.kv_heads = 2;
  m.head_dim = 10;
  return m;
}

}  // namespace

TEST_CASE("keys and values of every layer, block and head have a place of their own") {
  auto mode = GENERATE(cpu_mode(cpu_dtype::float32), cpu_mode(cpu_dtype::bfloat16),
                       cpu_mode(cpu_dtype::bfloat16, true, true, true));
  constexpr std::uint32_t blocks = 5, block_tokens = 32;
  auto m = small_model();
  auto cache = kv_cache::allocate(m, mode, blocks, block_tokens);
  REQUIRE(cache);
  // Of sixteen dimensions, keys and values: codes, and a scale for each.
  const std::size_t head = mode.int8_kv ? block_tokens * 2 * (16 + 4)
                                        : std::size_t{2} * block_tokens * 16 * element_bytes(mode.dtype);
  auto* next = cache->at(0, 0);
  for (std::uint32_t block = 0; block < blocks; ++block)
    for (std::uint32_t layer = 0; layer < m.layers; ++layer)
      for (std::uint32_t h = 0; h < m.kv_heads; ++h) {
        CHECK(cache->at(layer, h) + block * cache->block_stride() == next);
        next += head;
      }
  CHECK(cache->head_stride() == head);
  CHECK(next <= cache->at(0, 0) + cache->bytes());
}

TEST_CASE("keys and values as codes take little more than half of bfloat16, and the exact mode has none") {
  auto m = small_model();
  m.head_dim = 64;
  const cpu_mode codes(cpu_dtype::bfloat16, false, false, true);
  CHECK(kv_bytes_per_token(m, cpu_dtype::bfloat16) == 3 * 2 * 256);
  CHECK(kv_bytes_per_token(m, codes) == 3 * 2 * (64 + 8 + 64 + 4));
  CHECK(kv_format(codes) == "int8");
  const cpu_mode exact(cpu_dtype::float32, false, false, true);
  CHECK(kv_format(exact) == "float32");
  CHECK(kv_bytes_per_token(m, exact) == kv_bytes_per_token(m, cpu_dtype::float32));
}

TEST_CASE("blocks that are given back are empty, and their neighbours keep what they hold") {
  auto m = small_model();
  m.head_dim = 128;
  constexpr std::uint32_t blocks = 9, block_tokens = 64;
  auto cache = kv_cache::allocate(m, cpu_dtype::bfloat16, blocks, block_tokens);
  REQUIRE(cache);
  const auto block_bytes = cache->block_stride();
  REQUIRE(block_bytes * blocks < 2 << 20);  // in small pages, of which every block has its own
  REQUIRE(block_bytes % 4096 == 0);
  auto* data = cache->at(0, 0);
  std::fill(data, data + block_bytes * blocks, std::byte{1});
  cache->give_back(std::vector<std::uint32_t>{0, 2, 3, 8});
  for (std::uint32_t block = 0; block < blocks; ++block) {
    const bool empty = block == 0 || block == 2 || block == 3 || block == 8;
    auto* begin = data + block * block_bytes;
    INFO(block);
    CHECK(std::count(begin, begin + block_bytes, std::byte{empty}) == 0);
  }
}

TEST_CASE("a pool whose bytes cannot be counted is refused") {
  auto cache = kv_cache::allocate(small_model(), cpu_dtype::float32, ~0u, 1u << 31);
  REQUIRE_FALSE(cache);
  CHECK(cache.error().code == errc::out_of_memory);
}
