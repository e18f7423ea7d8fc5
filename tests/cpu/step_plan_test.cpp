#include "cpu/step_plan.hpp"

#include "cpu/adapter_packer.hpp"
#include "tests/catch.hpp"
#include "tests/cpu/planned_step.hpp"
#include "tests/cpu/random_weights.hpp"

using namespace lorica;
using namespace lorica::testing;

namespace {

executor_limits small_limits() {
  executor_limits l;
  l.blocks = 8;
  l.max_sequences = 3;
  l.max_rows = 48;
  l.max_positions = 48;
  return l;
}

model_config small_model() {
  model_config m;
  m.layers = 1;
  m.hidden = 32;
  m.heads = m.kv_heads = 6;
  m.head_dim = 16;
  m.ffn = 64;
  m.vocab = 100;
  return m;
}

/// An adapter on q of the only layer.
std::shared_ptr<const packed_adapter> adapter_of_rank(std::uint32_t rank) {
  lora_site site{
      0, projection::q, rank, 32, 96, 1.0f, std::vector<float>(rank * 32), std::vector<float>(96 * rank)};
  adapter_weights weights;
  weights.sites = {site};
  auto packed = cpu_adapter_packer(weights_like(small_model()), cpu_dtype::float32).pack(weights, {});
  REQUIRE(packed);
  return *packed;
}

std::vector<token_id> some_tokens(std::size_t count) {
  return std::vector<token_id>(count, 7);
}

}  // namespace

TEST_CASE("blocks must hold the last row too") {
  planned_step s(small_limits(), small_model());
  s.add(0, 0, some_tokens(16), {4});
  s.pass();
  s.add(0, 16, some_tokens(1), {4});
  auto refused = s.prepare();
  REQUIRE_FALSE(refused);
  CHECK_THAT(refused.error().text, Catch::Contains("too few blocks"));
  s.step = {};
  s.add(0, 16, some_tokens(1), {4, 5});
  CHECK(s.prepare());
}

TEST_CASE("sequences may share the blocks that they only read, and those that they do not reach yet") {
  planned_step s(small_limits(), small_model());
  s.add(0, 0, some_tokens(16), {0});
  s.add(1, 0, some_tokens(16), {1});
  s.pass();
  s.add(0, 16, some_tokens(3), {0, 2, 6});
  s.add(1, 16, some_tokens(2), {0, 3, 6});
  CHECK(s.prepare());
  s.step = {};
  s.add(0, 16, some_tokens(16), {0, 2, 6});
  s.add(1, 16, some_tokens(2), {0, 2, 6});
  auto refused = s.prepare();
  REQUIRE_FALSE(refused);
  CHECK_THAT(refused.error().text, Catch::Contains("two sequences write"));
}

TEST_CASE("the members' parts of attention join without gap or overlap and cost the same") {
  auto members = GENERATE(1u, 2u, 3u, 5u, 16u);
  INFO(members << " members");
  planned_step s(small_limits(), small_model(), members);
  s.add(0, 0, some_tokens(30), {0, 1});
  s.add(2, 0, some_tokens(3), {2});
  s.pass();
  s.add(0, 30, some_tokens(1), {0, 1});
  s.add(1, 0, some_tokens(20), {3, 4});
  s.add(2, 3, some_tokens(2), {2});
  REQUIRE(s.prepare());
  // A head costs the tokens it sees and a start, as share_attention counts.
  auto cost = [&](std::uint32_t row) { return s.plan.position(row) + 32.0; };
  double all = 0, dearest = 0;
  for (std::uint32_t row = 0; row < s.plan.rows(); ++row) {
    all += cost(row) * s.model.heads;
    dearest = std::max(dearest, cost(row));
  }
  CHECK(s.plan.attention_begin(0).row == 0);
  CHECK(s.plan.attention_begin(0).head == 0);
  CHECK(s.plan.attention_begin(members).row == s.plan.rows());
  CHECK(s.plan.attention_begin(members).head == 0);
  for (unsigned m = 0; m < members; ++m) {
    auto at = s.plan.attention_begin(m), end = s.plan.attention_begin(m + 1);
    CHECK(at.head < s.model.heads);
    CHECK((at.row < end.row || (at.row == end.row && at.head <= end.head)));
    double part = 0;
    for (; at.row < end.row || (at.row == end.row && at.head < end.head);
         at = at.head + 1 == s.model.heads ? attention_item{at.row + 1, 0}
                                           : attention_item{at.row, at.head + 1})
      part += cost(at.row);
    CHECK(std::abs(part - all / members) <= dearest);
  }
}

TEST_CASE("the widest composition of a step decides how wide the low-rank inputs are") {
  auto narrow = adapter_of_rank(3), wide = adapter_of_rank(8);
  planned_step s(small_limits(), small_model());
  s.add(0, 0, some_tokens(2), {0});
  s.add(1, 0, some_tokens(2), {1});
  s.add(2, 0, some_tokens(2), {2});
  s.step.uses = {{wide.get(), 1.0f}, {narrow.get(), 0.5f}, {narrow.get(), 1.0f}};
  s.step.segments = {{0, 2, 2, 1}, {2, 2, 0, 2}, {4, 2, 2, 1}};
  REQUIRE(s.plan.prepare(s.step, {narrow.get(), wide.get()}, s.history, 1));
  CHECK(s.plan.low_rank_width() == 11);
  s.step.segments = {};
  REQUIRE(s.plan.prepare(s.step, {narrow.get(), wide.get()}, s.history, 1));
  CHECK(s.plan.low_rank_width() == 0);
}

TEST_CASE("a narrowed plan has the rows that are read, from the first of a sequence to its last") {
  planned_step s(small_limits(), small_model(), 2);
  s.add(0, 0, some_tokens(5), {0});                    // its last row chooses
  s.add(1, 0, some_tokens(7), {1}).sample = false;     // none is read
  auto& scored = s.add(2, 0, some_tokens(9), {2, 3});  // rows 3 and 4 are scored
  scored.first_scored = 3;
  scored.scored = 2;
  scored.prompt_tokens = 30;
  scored.sample = false;
  REQUIRE(s.prepare());
  step_plan read(s.limits, s.model, 2);
  read.narrow(s.plan, 2);
  REQUIRE(read.rows() == 3);
  const std::uint32_t rows[] = {4, 15, 16}, positions[] = {4, 3, 4};
  for (std::uint32_t row = 0; row < 3; ++row) {
    CHECK(read.whole_row(row) == rows[row]);
    CHECK(read.position(row) == positions[row]);
    CHECK(*read.blocks(row) == *s.plan.blocks(rows[row]));
    CHECK(read.begins_sequence(row) == (row != 2));
    CHECK(read.readings()[row].row == row);
    CHECK(read.readings()[row].sequence == s.plan.readings()[row].sequence);
  }
  CHECK(read.attention_begin(0) == attention_item{0, 0});
  CHECK(read.attention_begin(2) == attention_item{3, 0});
}

TEST_CASE("segments of a narrowed plan are those of the rows that are left") {
  auto adapter = adapter_of_rank(4);
  planned_step s(small_limits(), small_model());
  s.add(0, 0, some_tokens(5), {0});
  s.add(1, 0, some_tokens(7), {1}).sample = false;
  s.add(2, 0, some_tokens(9), {2});
  s.step.uses = {{adapter.get(), 1.0f}, {adapter.get(), 0.5f}, {adapter.get(), 2.0f}};
  s.step.segments = {{0, 5, 0, 1}, {5, 7, 1, 1}, {12, 9, 2, 1}};
  REQUIRE(s.plan.prepare(s.step, {adapter.get()}, s.history, 1));
  step_plan read(s.limits, s.model, 1);
  read.narrow(s.plan, 1);
  REQUIRE(read.step().segments.size() == 2);
  CHECK(read.step().segments[0].rows == 1);
  CHECK(read.step().segments[1].first_row == 1);
  CHECK(read.step().segments[1].rows == 1);
  CHECK(read.step().uses[read.step().segments[1].first_use].weight == 2.0f);
  // Nothing that is read leaves nothing.
  s.step.sequences[0].sample = s.step.sequences[2].sample = false;
  s.history = *token_history::allocate(s.limits.max_sequences, s.limits.max_positions);
  REQUIRE(s.plan.prepare(s.step, {adapter.get()}, s.history, 1));
  read.narrow(s.plan, 1);
  CHECK(read.rows() == 0);
  CHECK(read.step().segments.empty());
}
