#include "gpu/lora_choice.hpp"

#include <vector>

#include "tests/catch.hpp"

using namespace lorica;
using gpu::few_rows_by;
using gpu::lora_time;

namespace {

struct measured {
  std::vector<lora_time> times;
  std::uint32_t expected;
};

}  // namespace

TEST_CASE("tiles of few serve up to the last rows before many are clearly faster") {
  const std::vector<measured> all{
      {{}, 32},
      {{{8, 1, 2}, {16, 1, 2}, {32, 2, 1}, {64, 4, 1}}, 16},
      {{{8, 1, 2}, {16, 2, 1}, {32, 1, 2}, {64, 1, 2}}, 8},  // one that lies behind does not count
      {{{8, 1, 2}, {16, 1, 2}, {32, 1, 2}, {64, 1, 2}}, 64},
      {{{8, 2, 1}, {16, 2, 1}}, 7},
      {{{8, 1, 1}, {16, 1, 1}, {32, 1, 1}, {64, 1, 1}}, 32},  // nothing was learned
      {{{8, 1, 2}, {16, 1, 1.04f}, {32, 1.04f, 1}, {64, 1.04f, 1}}, 32},
      {{{8, 1, 2}, {16, 1, 2}}, 32},  // more rows were not timed
  };
  for (auto& m : all)
    CHECK(few_rows_by(m.times, 32) == m.expected);
}

TEST_CASE("a choice goes by the width, and its least is what no segment of is cut in tiles of many") {
  constexpr gpu::lora_choice c{16, 8};
  CHECK(c.few_rows(1) == 16);
  CHECK(c.few_rows(96) == 16);
  CHECK(c.few_rows(97) == 8);
  CHECK(c.least() == 8);
}
