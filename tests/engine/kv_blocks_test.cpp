#include "engine/kv_blocks.hpp"

#include <iostream>
#include <random>
#include <utility>

#include "tests/catch.hpp"

using namespace lorica;

TEST_CASE("a table grows by whole blocks, all or nothing") {
  kv_blocks pool(5, 16);
  kv_table a(pool), b(pool);
  CHECK(a.grow(17));
  CHECK(a.size() == 2);
  CHECK(a.grow(32));
  CHECK(a.size() == 2);
  CHECK_FALSE(b.grow(16 * 3 + 1));
  CHECK(b.size() == 0);
  CHECK(pool.used() == 2);
  CHECK(b.grow(16 * 3));
  CHECK(pool.free() == 0);
}

TEST_CASE("blocks go back once, however a table ends") {
  kv_blocks pool(8, 1);
  {
    kv_table a(pool);
    REQUIRE(a.grow(3));
    kv_table b(std::move(a));
    a.clear();  // NOLINT: a moved-from table is empty
    CHECK(pool.used() == 3);
    kv_table c(pool);
    REQUIRE(c.grow(2));
    c = std::move(b);
    CHECK(pool.used() == 3);
    c.clear();
    c.clear();
    CHECK(pool.used() == 0);
    REQUIRE(c.grow(8));
  }
  CHECK(pool.free() == 8);
}

TEST_CASE("at any time every block is free or in exactly one table") {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    INFO("seed " << seed);
    std::mt19937_64 random(seed);
    kv_blocks pool(97, 4);
    std::vector<kv_table> tables;
    for (int i = 0; i < 12; ++i)
      tables.emplace_back(pool);
    std::uint64_t refusals = 0;
    for (int i = 0; i < 100'000; ++i) {
      auto& t = tables[random() % tables.size()];
      auto& other = tables[random() % tables.size()];
      auto dice = random() % 10;
      auto before = t.ids();
      if (dice < 7) {
        auto tokens = before.size() * 4 + random() % 30;
        auto fits = pool.blocks_for(tokens) <= before.size() + pool.free();
        if (t.grow(tokens) != fits) FAIL("a table grows exactly when the pool has the blocks");
        if (!fits && t.ids() != before) FAIL("a refused table is unchanged");
        if (!std::equal(before.begin(), before.end(), t.ids().begin())) FAIL("a block keeps its place");
        refusals += fits ? 0 : 1;
      } else if (dice < 9) {
        t.clear();
      } else {
        t = std::move(other);
      }
      std::vector<bool> seen(pool.total());
      std::uint32_t held = 0;
      for (auto& table : tables)
        for (auto id : table.ids()) {
          if (seen.at(id)) FAIL("block " << id << " is in two tables");
          seen[id] = true;
          ++held;
        }
      if (held != pool.used()) FAIL("used blocks are the sum of the tables");
    }
    tables.clear();
    CHECK(pool.free() == pool.total());
    CHECK(refusals > 100);
    std::cout << "kv_blocks: seed " << seed << ", 100000 operations, " << refusals << " refusals\n";
  }
}
