#include "bench/gpu/step_maker.hpp"

#include "bench/gpu/adapters.hpp"
#include "bench/gpu/shape.hpp"
#include "engine/batch_contract.hpp"
#include "tests/catch.hpp"

namespace lorica::bench {
namespace {

executor_limits limits() {
  executor_limits out;
  out.blocks = 12;
  out.max_sequences = 4;
  out.max_rows = 64;
  out.max_positions = 48;
  return out;
}

TEST_CASE("an even step keeps the executor's contract, with adapters in neighbouring segments") {
  const auto m = *shape_named("tiny");
  const auto model = std::make_shared<const random_weights>(m);
  const auto adapters = random_adapters(model, {all_projections(), {2}}, {.count = 2});
  const step_maker steps(limits(), m);
  const auto rows = GENERATE(1u, 9u);
  const auto b = steps.make({.sequences = 4, .context = 20, .rows = rows, .adapters = adapters});
  batch_contract contract(limits(), m.vocab);
  const auto kept = contract.check(b, {adapters[0].get(), adapters[1].get()}, [](auto) {
    return slot_state{20, true};
  });
  REQUIRE(kept);
  REQUIRE(b.sequences.size() == 4);
  CHECK(b.tokens.size() == 4 * rows);
  CHECK(std::ranges::count(b.tokens, sampled_last) == (rows == 1 ? 4 : 0));
  REQUIRE(b.segments.size() == 2);
  CHECK(b.segments[0].rows == 2 * rows);
  CHECK(b.segments[1].first_row == 2 * rows);
  CHECK(b.uses[1].adapter == adapters[1].get());
  CHECK(b.block_table[b.sequences[3].first_block] == 9);
}

TEST_CASE("adapters are dealt out evenly where sequences do not divide") {
  const auto m = *shape_named("tiny");
  const auto model = std::make_shared<const random_weights>(m);
  const auto adapters = random_adapters(model, {all_projections(), {2}}, {.count = 3});
  const auto b = step_maker(limits(), m).make({.sequences = 4, .context = 1, .adapters = adapters});
  REQUIRE(b.segments.size() == 3);
  CHECK(b.segments[0].rows == 2);
  CHECK(b.segments[1].rows == 1);
  CHECK(b.segments[2].rows == 1);
}

TEST_CASE("random adapters have what was asked for, each its own") {
  const auto model = std::make_shared<const random_weights>(*shape_named("tiny"));
  const auto some = random_adapters(model, {{projection::q, projection::v}, {4, 2}}, {.count = 3});
  REQUIRE(some.size() == 3);
  CHECK(some[0]->ranks() == std::vector<std::uint32_t>{4});
  CHECK(some[1]->ranks() == std::vector<std::uint32_t>{2});
  CHECK(some[2]->ranks() == std::vector<std::uint32_t>{4});
  CHECK(some[0]->version() != some[2]->version());
  const auto third =
      random_adapters(model, {{projection::q, projection::v}, {4, 2}}, {.first = 2, .count = 1});
  CHECK(third.front()->version() == some[2]->version());
  CHECK(room_for(some) > some[0]->bytes() + some[1]->bytes() + some[2]->bytes());
}

}  // namespace
}  // namespace lorica::bench
