// Steps that are planned while the one before is in flight.
#include <cmath>
#include <limits>

#include "engine/planner.hpp"
#include "engine/sequence_end.hpp"
#include "tests/catch.hpp"
#include "tests/engine/plan_desk.hpp"

using namespace lorica;
using namespace lorica::testing;

namespace {

/// A planner with sequences whose prompts are computed, and its device.
struct decoding : plan_desk {
  explicit decoding(const std::vector<sequence>& list, const planner_options& o = four_slots())
      : plan_desk(o) {
    for (auto& s : list)
      submit(s);
    for (auto& version : plan.lease_wanted())
      static_cast<void>(plan.lease_granted(version, lease_of(version.digest[0])));
    begin();
    complete();
    begin();
  }

  void begin() {
    auto step = plan.next_step();
    REQUIRE(step);
    work = step->work;
  }

  void complete() { keep(plan.complete(device.execute(*work))); }

  /// The step in flight is over, and the one that was planned ahead in flight.
  void go_on(const std::shared_ptr<const batch>& next) {
    complete();
    REQUIRE(plan.step_in_flight());
    work = next;
  }

  std::shared_ptr<const batch> work;
};

void check_same(const batch& a, const batch& b) {
  REQUIRE(a.sequences.size() == b.sequences.size());
  for (std::size_t i = 0; i < a.sequences.size(); ++i) {
    auto &x = a.sequences[i], &y = b.sequences[i];
    CHECK(std::tuple(x.slot, x.first_row, x.rows, x.context, x.first_block, x.blocks) ==
          std::tuple(y.slot, y.first_row, y.rows, y.context, y.first_block, y.blocks));
    CHECK(std::tuple(x.prompt_tokens, x.sample, x.choice, x.top, x.scored, x.known, x.ignore_eos) ==
          std::tuple(y.prompt_tokens, y.sample, y.choice, y.top, y.scored, y.known, y.ignore_eos));
    CHECK(x.sampling.seed == y.sampling.seed);
  }
  CHECK(a.block_table == b.block_table);
  CHECK(a.eos == b.eos);
  REQUIRE(a.segments.size() == b.segments.size());
  for (std::size_t i = 0; i < a.segments.size(); ++i) {
    auto &x = a.segments[i], &y = b.segments[i];
    CHECK(std::tuple(x.first_row, x.rows, x.first_use, x.uses, x.combine) ==
          std::tuple(y.first_row, y.rows, y.first_use, y.uses, y.combine));
  }
  REQUIRE(a.uses.size() == b.uses.size());
  for (std::size_t i = 0; i < a.uses.size(); ++i)
    CHECK(a.uses[i].adapter->version() == b.uses[i].adapter->version());
}

step_output every_token(const batch& work, token_id token) {
  step_output out;
  for (std::uint32_t i = 0; i < work.sequences.size(); ++i)
    out.tokens.push_back({i, token, -0.5f});
  return out;
}

}  // namespace

TEST_CASE("a step that is planned ahead is the one that would be planned then, over blocks and adapters") {
  const std::vector<sequence> list{own_prompt_of(1, 3, 30, {2}), own_prompt_of(2, 5, 30),
                                   own_prompt_of(3, 9, 30, {1}), own_prompt_of(4, 2, 30, {2})};
  decoding ahead(list), after(list);
  for (int step = 0; step < 20; ++step) {
    auto next = ahead.plan.plan_ahead();
    REQUIRE(next);
    CHECK(next->tokens == std::vector<token_id>(4, sampled_last));
    ahead.go_on(next);
    after.complete();
    after.begin();
    check_same(*next, *after.work);
  }
  ahead.complete();
  after.complete();
  CHECK(ahead.tokens == after.tokens);
  auto s = ahead.plan.stats(), t = after.plan.stats();
  CHECK(std::tuple(s.steps, s.rows, s.tokens, s.blocks_used) ==
        std::tuple(t.steps, t.rows, t.tokens, t.blocks_used));
  CHECK(s.ahead == 20);
  CHECK(t.ahead == 0);
}

TEST_CASE("nothing is planned ahead without a step, twice, or where the next step is not known") {
  decoding d({own_prompt_of(1, 3, 5), own_prompt_of(2, 3, 4)});
  auto next = d.plan.plan_ahead();
  REQUIRE(next);
  CHECK_FALSE(d.plan.plan_ahead());
  d.go_on(next);  // of sequence 2 the last token but one is sampled now
  REQUIRE(d.plan.plan_ahead());
  d.complete();
  REQUIRE(d.plan.step_in_flight());
  CHECK_FALSE(d.plan.plan_ahead());  // its last one
  decoding paused({own_prompt_of(1, 3, 9), own_prompt_of(2, 3, 9)});
  paused.plan.pause(2);
  CHECK_FALSE(paused.plan.plan_ahead());
  paused.plan.resume(2);
  CHECK(paused.plan.plan_ahead());
  decoding left({own_prompt_of(1, 3, 9), own_prompt_of(2, 3, 9)});
  static_cast<void>(left.plan.cancel(2));
  CHECK_FALSE(left.plan.plan_ahead());
  decoding waiting({own_prompt_of(1, 3, 9)});
  waiting.submit(own_prompt_of(2, 3, 9));
  CHECK_FALSE(waiting.plan.plan_ahead());
  waiting.complete();
  CHECK_FALSE(waiting.plan.plan_ahead());
}

TEST_CASE("a prompt's last chunk can be followed ahead, an earlier one not") {
  auto o = four_slots();
  o.max_prefill_tokens = 4;
  plan_desk d(o);
  d.submit(own_prompt_of(1, 7, 9));
  auto step = d.plan.next_step();
  REQUIRE(step);
  CHECK_FALSE(d.plan.plan_ahead());
  d.keep(d.plan.complete(d.device.execute(*step->work)));
  step = d.plan.next_step();
  REQUIRE(step);
  auto next = d.plan.plan_ahead();
  REQUIRE(next);
  CHECK(next->sequences[0].context == 7);
}

TEST_CASE("where blocks are short nothing is planned ahead and none is taken") {
  auto o = four_slots();
  o.blocks = 5;
  o.prefix_caching = false;
  decoding d({own_prompt_of(1, 6, 8), own_prompt_of(2, 6, 8)}, o);
  d.complete();
  d.begin();  // fills two blocks of each; there is one more
  CHECK_FALSE(d.plan.plan_ahead());
  CHECK(d.plan.stats().blocks_used == 4);
}

TEST_CASE("an end drops the step that was planned ahead, and the others are planned anew") {
  auto minding = own_prompt_of(1, 3, 20);
  minding.ignore_eos = false;
  decoding d({minding, own_prompt_of(2, 3, 20)});
  REQUIRE(d.plan.plan_ahead());
  auto ends = every_token(*d.work, 0);
  CHECK_FALSE(all_go_on(*d.work, ends));
  d.keep(d.plan.complete(ends));
  CHECK_FALSE(d.plan.step_in_flight());
  CHECK(*d.ends.at(1) == finish_reason::eos_token);
  d.begin();
  CHECK(d.work->sequences.size() == 1);
  CHECK(d.work->tokens == std::vector<token_id>{0});
}

TEST_CASE("all go on but with an end token, a stop token, no token, or what is not finite") {
  auto minding = own_prompt_of(1, 3, 20);
  minding.ignore_eos = false;
  auto stopped = own_prompt_of(2, 3, 20);
  token_rules rules;
  rules.stops = {7, 9};
  stopped.sampling.rules = shared_rules(rules);
  decoding d({minding, stopped});
  auto out = every_token(*d.work, 5);
  CHECK(all_go_on(*d.work, out));
  for (token_id first : {7, 9})
    CHECK(all_go_on(*d.work, {{{0, first, 0.0f}, {1, 0, 0.0f}}}));
  CHECK_FALSE(all_go_on(*d.work, {{{0, 0, 0.0f}, {1, 5, 0.0f}}}));
  CHECK_FALSE(all_go_on(*d.work, {{{0, 5, 0.0f}, {1, 9, 0.0f}}}));
  CHECK_FALSE(all_go_on(*d.work, {{{0, 5, 0.0f}, {1, no_token, 0.0f}}}));
  CHECK_FALSE(all_go_on(*d.work, {{{0, 5, NAN}, {1, 5, 0.0f}}}));
  CHECK_FALSE(all_go_on(*d.work, {{{0, 5, 0.0f}}}));
  out.scored.push_back({0, 5, -std::numeric_limits<float>::infinity()});
  CHECK_FALSE(all_go_on(*d.work, out));
}

TEST_CASE("who is cancelled ends when the step that was planned ahead is over, and gets no token more") {
  decoding d({own_prompt_of(1, 3, 20), own_prompt_of(2, 3, 20)});
  auto next = d.plan.plan_ahead();
  REQUIRE(next);
  const auto before = d.tokens[2].size();
  d.keep(d.plan.cancel(2));
  d.go_on(next);
  CHECK_FALSE(d.ends.contains(2));
  CHECK_FALSE(d.plan.plan_ahead());
  d.complete();
  CHECK(d.ends.at(2).error().code == errc::cancelled);
  CHECK(d.tokens[2].size() == before);
  CHECK(d.tokens[1].size() == before + 2);
  d.begin();
  CHECK(d.work->sequences.size() == 1);
}

TEST_CASE("a step that was not begun is planned anew with whoever came") {
  decoding d({own_prompt_of(1, 3, 20), own_prompt_of(2, 3, 20)});
  auto next = d.plan.plan_ahead();
  REQUIRE(next);
  d.submit(own_prompt_of(3, 3, 20));
  d.keep(d.plan.cancel(2));
  d.go_on(next);
  const auto steps = d.plan.stats().steps;
  d.keep(d.plan.not_begun());
  CHECK(d.ends.at(2).error().code == errc::cancelled);
  CHECK(d.plan.stats().steps == steps);
  CHECK(d.plan.stats().ahead == 0);
  d.begin();
  CHECK(d.work->sequences.size() == 2);
  CHECK(d.work->tokens.size() == 4);
  d.complete();
  CHECK(d.tokens[3].size() == 1);
}

TEST_CASE("a failed step takes the one that was planned ahead with it") {
  decoding d({own_prompt_of(1, 3, 20), own_prompt_of(2, 3, 20)});
  REQUIRE(d.plan.plan_ahead());
  d.keep(d.plan.step_failed(fail(errc::generation_failed, "gone")));
  CHECK_FALSE(d.plan.step_in_flight());
  CHECK(d.plan.idle());
  CHECK(d.ends.size() == 2);
}
