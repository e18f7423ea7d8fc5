#include "bench/gpu/record.hpp"

#include "tests/catch.hpp"

namespace lorica::bench {
namespace {

/// What was read last.
struct kept final : record_reader {
  row last_row;
  card last_card;
  copy_rates last_copies;
  product_times last_products;

  void take(row r) override { last_row = std::move(r); }
  void take(const card& c) override { last_card = c; }
  void take(const copy_rates& c) override { last_copies = c; }
  void take(const product_times& t) override { last_products = t; }
};

TEST_CASE("a row comes back from its record as it was") {
  row r;
  r.suite = "G-3";
  r.name = "r16,\t8 \\adapters\n";
  r.size("rows", 32).figure("over_base_percent", 0.1 + 0.2).figure("floor", 1e-300);
  r.time = times{0.1, 0.2, 0.3, 20};
  r.graphs = false;
  r.at_least("floor", 0.85).at_most("over_base_percent", 5);
  r.cut = "the time was over";
  kept to;
  const auto line = record_of(r);
  CHECK(line.find('\n') == std::string::npos);
  REQUIRE(to.read(line));
  const auto& back = to.last_row;
  CHECK(back.suite == r.suite);
  CHECK(back.name == r.name);
  CHECK(back.sizes == r.sizes);
  CHECK(back.figures == r.figures);
  REQUIRE(back.time);
  CHECK(back.time->mean == 0.1);
  CHECK(back.time->median == 0.2);
  CHECK(back.time->best == 0.3);
  CHECK(back.time->runs == 20);
  CHECK(back.graphs == false);
  REQUIRE(back.targets.size() == 2);
  CHECK(back.targets[0].which == target::side::at_least);
  CHECK(back.targets[1].limit == 5);
  CHECK(back.cut == r.cut);
  CHECK(back.missing.empty());
  row lost;
  lost.missing = "no room";
  lost.out_of_room = true;
  REQUIRE(to.read(record_of(lost)));
  CHECK(to.last_row.missing == "no room");
  CHECK(to.last_row.out_of_room);
  CHECK(!to.last_row.out_of_time);
}

TEST_CASE("card and rates come back from their records as they were") {
  card c;
  c.properties.name = "a card";
  c.properties.memory_bytes = std::uint64_t{139} << 30;
  c.properties.major = 9;
  c.properties.l2_bytes = 60 << 20;
  c.driver = "13.1";
  c.clock_mhz = 1980;
  kept to;
  REQUIRE(to.read(record_of(c)));
  CHECK(to.last_card.properties.name == "a card");
  CHECK(to.last_card.properties.memory_bytes == c.properties.memory_bytes);
  CHECK(to.last_card.properties.major == 9);
  CHECK(to.last_card.properties.l2_bytes == 60 << 20);
  CHECK(to.last_card.driver == "13.1");
  CHECK(to.last_card.clock_mhz == 1980);
  REQUIRE(to.read(record_of(copy_rates{4.3e12, 5e10})));
  CHECK(to.last_copies.device == 4.3e12);
  CHECK(to.last_copies.to_device == 5e10);
  REQUIRE(to.read(record_of(product_times{8, 1, gpu::weight_format::fp8, 1e-5, 2e-5, 3e-5})));
  CHECK(to.last_products.read == 1);
  CHECK(to.last_products.weights == gpu::weight_format::fp8);
  CHECK(to.last_products.head == 3e-5);
}

TEST_CASE("a line that is no record is refused") {
  kept to;
  for (auto line :
       {"", "nothing", "copies\t1", "copies\t1\tx", "copies\t1\t2\t3", "row\tG-1", "products\t1\t2"})
    CHECK(!to.read(line));
}

}  // namespace
}  // namespace lorica::bench
