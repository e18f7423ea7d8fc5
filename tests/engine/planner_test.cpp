#include "engine/planner.hpp"

#include <algorithm>
#include <limits>
#include <map>

#include "tests/catch.hpp"
#include "tests/engine/plan_desk.hpp"

using namespace lorica;
using namespace lorica::testing;

namespace {

/// Steps one by one.
struct bench_top : plan_desk {
  using plan_desk::plan_desk;

  /// One step; the sequences in it by id, with their rows. Empty when nothing ran.
  std::map<sequence_id, std::uint32_t> step() {
    auto planned = plan.next_step();
    if (!planned) return {};
    last = *planned;
    keep(plan.complete(device.execute(*last.work)));
    return rows();
  }

  std::map<sequence_id, std::uint32_t> rows() const {
    std::map<sequence_id, std::uint32_t> out;
    for (auto& s : last.work->sequences)
      out[s.sampling.seed] = s.rows;
    return out;
  }

  void run() {
    while (!step().empty()) {
    }
  }

  planned_step last;
};

/// A step's output that gives every sampling sequence the same token.
step_output all_sample(const batch& work, token_id token) {
  step_output out;
  for (std::uint32_t i = 0; i < work.sequences.size(); ++i)
    if (work.sequences[i].sample) out.tokens.push_back({i, token, -0.5f});
  return out;
}

}  // namespace

TEST_CASE("a sequence is prefilled, decoded token by token and ends at its length") {
  bench_top b(four_slots());
  b.submit(prompt_of(1, 5, 3));
  CHECK(b.step() == std::map<sequence_id, std::uint32_t>{{1, 5}});
  CHECK(b.last.admitted == std::vector<sequence_id>{1});
  CHECK(b.step() == std::map<sequence_id, std::uint32_t>{{1, 1}});
  CHECK(b.last.work->tokens == std::vector<token_id>{b.tokens[1][0]});
  CHECK(b.last.work->sequences[0].context == 5);
  CHECK(b.step().size() == 1);
  CHECK(b.step().empty());
  CHECK(b.tokens[1].size() == 3);
  CHECK(*b.ends.at(1) == finish_reason::length);
  CHECK(b.plan.stats().blocks_used == 0);
}

TEST_CASE("the end token ends a sequence and is reported, unless it is to be ignored") {
  bench_top b(four_slots());
  auto ignoring = prompt_of(2, 1, 2);
  auto minding = prompt_of(1, 1, 2);
  minding.ignore_eos = false;
  b.submit(minding);
  b.submit(ignoring);
  auto step = b.plan.next_step();
  REQUIRE(step);
  b.keep(b.plan.complete(all_sample(*step->work, 0)));
  CHECK(b.tokens[1] == std::vector<token_id>{0});
  CHECK(*b.ends.at(1) == finish_reason::eos_token);
  CHECK(b.tokens[2] == std::vector<token_id>{0});
  CHECK_FALSE(b.ends.contains(2));
}

TEST_CASE("an end token at the full length is an end token") {
  bench_top b(four_slots());
  auto s = prompt_of(1, 1, 1);
  s.ignore_eos = false;
  b.submit(s);
  auto step = b.plan.next_step();
  REQUIRE(step);
  b.keep(b.plan.complete(all_sample(*step->work, 0)));
  CHECK(*b.ends.at(1) == finish_reason::eos_token);
}

TEST_CASE("what can never run is refused with a text that says what would") {
  auto o = four_slots();
  o.blocks = 10;
  o.max_total_tokens = 38;
  o.max_adapters_per_step = 1;
  planner p(o);
  auto text = [&p](const sequence& s) { return p.submit(s).error().text; };
  CHECK(text(prompt_of(1, 0, 1)) == "the prompt has no tokens; at least 1 is needed");
  CHECK(text(prompt_of(1, 1, 0)) == "max_new_tokens is 0; at least 1 is needed");
  CHECK(text(prompt_of(1, 60, 5)) == "prompt and max_new_tokens together are 65 tokens; the model takes 64");
  CHECK(text(prompt_of(1, 36, 5)) ==
        "prompt and max_new_tokens together are 41 tokens; the KV cache holds 40");
  CHECK(text(prompt_of(1, 34, 5)) == "prompt and max_new_tokens together are 39 tokens; a batch takes 38");
  CHECK(text(prompt_of(1, 1, 0xffffffffu)) ==
        "prompt and max_new_tokens together are 4294967296 tokens; the model takes 64");
  CHECK(text(prompt_of(1, 1, 1, {1, 2})) == "2 adapters are combined; a step takes at most 1");
  auto negative = prompt_of(1, 2, 1);
  negative.prompt[1] = sampled_last;
  CHECK(p.submit(negative).error().param == "prompt");
  auto broken = prompt_of(1, 1, 1, {1});
  broken.composition[0].weight = std::numeric_limits<float>::quiet_NaN();
  CHECK(p.submit(broken).error().code == errc::invalid);
  CHECK(p.submit(prompt_of(1, 34, 4)));
  CHECK(p.submit(prompt_of(1, 34, 4)).error().code == errc::internal);
}

TEST_CASE("a full queue refuses the next one as overload") {
  auto o = four_slots();
  o.max_waiting = 2;
  planner p(o);
  CHECK(p.submit(prompt_of(1, 1, 1)));
  CHECK(p.submit(prompt_of(2, 1, 1)));
  CHECK(p.submit(prompt_of(3, 1, 1)).error().code == errc::overloaded);
  REQUIRE(p.next_step());
  CHECK(p.submit(prompt_of(3, 1, 1)));
}

TEST_CASE("a sequence cancelled in the step in flight keeps blocks and lease until the step is over") {
  bench_top b(four_slots());
  b.submit(prompt_of(1, 5, 9, {7}));
  CHECK(b.step().empty());
  CHECK(b.plan.lease_wanted() == std::vector<adapter_version>{version_of(7)});
  b.keep(b.plan.lease_granted(version_of(7), lease_of(7)));
  auto step = b.plan.next_step();
  REQUIRE(step);
  b.keep(b.plan.cancel(1));
  b.keep(b.plan.cancel(1));
  CHECK(b.ends.empty());
  CHECK(b.plan.stats().blocks_used == 2);
  CHECK(b.returned == 0);
  CHECK(step->work->uses.at(0).adapter->version() == version_of(7));
  b.keep(b.plan.complete(b.device.execute(*step->work)));
  CHECK(b.ends.at(1).error().code == errc::cancelled);
  CHECK(b.tokens.empty());
  CHECK(b.plan.stats().blocks_used == 0);
  CHECK(b.returned == 1);
  b.keep(b.plan.cancel(1));
  CHECK(b.ends.size() == 1);
}

TEST_CASE("a cancel between steps or in the queue ends at once") {
  bench_top b(four_slots());
  b.submit(prompt_of(1, 5, 9));
  b.step();
  b.submit(prompt_of(2, 5, 9));
  b.keep(b.plan.cancel(2));
  b.keep(b.plan.cancel(1));
  CHECK(b.ends.size() == 2);
  CHECK(b.step().empty());
  CHECK(b.plan.stats().blocks_used == 0);
}

TEST_CASE("who waits for a lease does not block the queue behind it") {
  bench_top b(four_slots());
  b.submit(prompt_of(1, 3, 9, {1}));
  b.submit(prompt_of(2, 3, 9));
  CHECK(b.step() == std::map<sequence_id, std::uint32_t>{{2, 3}});
  CHECK(b.plan.lease_wanted() == std::vector<adapter_version>{version_of(1)});
  CHECK(b.plan.lease_wanted().empty());
  b.keep(b.plan.lease_granted(version_of(1), lease_of(1)));
  CHECK(b.step() == std::map<sequence_id, std::uint32_t>{{1, 3}, {2, 1}});
}

TEST_CASE("one lease serves all sequences of a version and returns with the last") {
  bench_top b(four_slots());
  b.submit(prompt_of(1, 3, 1, {1}));
  b.submit(prompt_of(2, 3, 3, {1}));
  b.step();
  CHECK(b.plan.lease_wanted().size() == 1);
  b.keep(b.plan.lease_granted(version_of(1), lease_of(1)));
  b.step();
  CHECK(b.ends.contains(1));
  CHECK(b.returned == 0);
  b.run();
  CHECK(b.returned == 1);
  CHECK(b.plan.stats().leases == 0);
}

TEST_CASE("a refused lease ends the sequences that wait for it, and no other") {
  bench_top b(four_slots());
  b.submit(prompt_of(1, 3, 2, {1}));
  b.submit(prompt_of(2, 3, 2, {2}));
  b.submit(prompt_of(3, 3, 2, {1}));
  b.step();
  CHECK(b.plan.lease_wanted().size() == 2);
  b.keep(b.plan.lease_refused(version_of(1), fail(errc::bad_adapter, "rank too large")));
  CHECK(b.ends.size() == 2);
  CHECK(b.ends.at(1).error().text == "rank too large");
  b.keep(b.plan.lease_refused(version_of(1), fail(errc::bad_adapter, "again")));
  b.keep(b.plan.lease_granted(version_of(2), lease_of(2)));
  b.run();
  CHECK(*b.ends.at(2) == finish_reason::length);
  CHECK(b.returned == 1);
}

TEST_CASE("an adapter that stands alone ends the sequences that combine or weigh it, and no other") {
  bench_top b(four_slots());
  auto weighted = [](sequence s, float weight) {
    s.composition[0].weight = weight;
    return s;
  };
  b.submit(prompt_of(1, 3, 2, {1}));
  b.submit(prompt_of(2, 3, 2, {1, 2}));
  b.submit(weighted(prompt_of(3, 3, 2, {1}), 0.5f));
  b.submit(weighted(prompt_of(4, 3, 2, {2}), 0.5f));
  b.step();
  b.keep(b.plan.lease_granted(version_of(2), lease_of(2)));
  b.keep(b.plan.lease_granted(version_of(1), std::make_shared<fake_adapter>(version_of(1), true)));
  REQUIRE(b.ends.size() == 2);
  for (auto id : {2, 3}) {
    REQUIRE_FALSE(b.ends.at(static_cast<sequence_id>(id)));
    CHECK(b.ends.at(static_cast<sequence_id>(id)).error().code == errc::invalid);
    CHECK(b.ends.at(static_cast<sequence_id>(id)).error().text.find("use_dora") != std::string::npos);
  }
  // While it is held, such a sequence is refused at once.
  auto refused = b.plan.submit(prompt_of(5, 3, 2, {2, 1}));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().param == "adapters");
  CHECK_FALSE(b.plan.submit(weighted(prompt_of(5, 3, 2, {1}), -1)));
  CHECK(b.plan.submit(prompt_of(5, 3, 2, {1})));
  b.run();
  for (auto id : {1, 4, 5})
    CHECK(*b.ends.at(static_cast<sequence_id>(id)) == finish_reason::length);
  CHECK(b.plan.stats().leases == 0);
  // Alone among those that wait: its lease goes straight back.
  b.submit(prompt_of(6, 3, 2, {1, 2}));
  b.step();
  CHECK(b.plan.lease_wanted().size() == 2);
  b.keep(b.plan.lease_granted(version_of(1), std::make_shared<fake_adapter>(version_of(1), true)));
  CHECK_FALSE(b.ends.at(6));
  b.keep(b.plan.lease_granted(version_of(2), lease_of(2)));
  CHECK(b.plan.stats().leases == 0);
}

TEST_CASE("adapters that cannot be merged end the sequences that merge them, and no other") {
  bench_top b(four_slots());
  auto merged = [](sequence s) {
    s.combine = combination::linear;
    return s;
  };
  auto lease = [](std::uint8_t number, std::uint32_t rank) {
    return std::make_shared<fake_adapter>(version_of(number), false, lorica::testing::plain_shape(rank));
  };
  b.submit(prompt_of(5, 3, 30, {1}));
  b.submit(merged(prompt_of(1, 3, 2, {1, 2})));
  b.submit(prompt_of(2, 3, 2, {1, 2}));
  b.submit(merged(prompt_of(3, 3, 2, {1, 3})));
  b.step();
  b.keep(b.plan.lease_granted(version_of(1), lease(1, 8)));
  b.step();
  CHECK(b.ends.empty());
  CHECK(b.plan.lease_wanted() == std::vector<adapter_version>{version_of(2)});
  b.submit(prompt_of(6, 3, 30, {2}));
  b.step();
  b.keep(b.plan.lease_granted(version_of(2), lease(2, 4)));
  REQUIRE(b.ends.size() == 1);
  REQUIRE_FALSE(b.ends.at(1));
  CHECK(b.ends.at(1).error().code == errc::invalid);
  CHECK(b.ends.at(1).error().text.find("has rank 8, adapter 2 has rank 4") != std::string::npos);
  b.step();
  // While they are held, such a sequence is refused at once.
  auto refused = b.plan.submit(merged(prompt_of(4, 3, 2, {2, 1})));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().param == "merged_adapters");
  b.step();
  CHECK(b.plan.lease_wanted() == std::vector<adapter_version>{version_of(3)});
  b.keep(b.plan.lease_granted(version_of(3), lease(3, 8)));
  b.run();
  for (auto id : {2, 3, 5, 6})
    CHECK(*b.ends.at(static_cast<sequence_id>(id)) == finish_reason::length);
  CHECK(b.plan.stats().leases == 0);
}

TEST_CASE("a sum and a merge of the same adapters are two segments") {
  bench_top b(four_slots());
  auto merged = prompt_of(2, 3, 9, {1});
  merged.combine = combination::linear;
  b.submit(prompt_of(1, 2, 9, {1}));
  b.submit(merged);
  b.submit(prompt_of(3, 4, 9, {1}));
  b.step();
  b.keep(b.plan.lease_granted(version_of(1), lease_of(1)));
  b.step();
  auto& segments = b.last.work->segments;
  REQUIRE(segments.size() == 2);
  CHECK((segments[0].combine == combination::sum && segments[0].rows == 6));
  CHECK((segments[1].combine == combination::linear && segments[1].rows == 3));
}

TEST_CASE("a lease that nobody waits for any more goes straight back") {
  bench_top b(four_slots());
  b.submit(prompt_of(1, 3, 2, {1}));
  b.step();
  CHECK(b.plan.lease_wanted().size() == 1);
  b.keep(b.plan.cancel(1));
  b.submit(prompt_of(2, 3, 2, {1}));
  b.step();
  CHECK(b.plan.lease_wanted().empty());  // the answer on the way is for the new one
  b.keep(b.plan.cancel(2));
  b.keep(b.plan.lease_granted(version_of(1), lease_of(1)));
  CHECK(b.returned == 1);
  CHECK(b.plan.stats().leases == 0);
}

TEST_CASE("a thousand waiting sequences ask for as many leases as the plan is ahead, not for a thousand") {
  auto o = four_slots();
  o.leases_ahead = 3;
  bench_top b(o);
  for (sequence_id id = 1; id <= 4; ++id)
    b.submit(prompt_of(id, 1, 50));
  b.step();
  for (sequence_id id = 5; id <= 205; ++id)
    b.submit(prompt_of(id, 1, 5, {static_cast<std::uint8_t>(id)}));
  std::size_t asked = 0;
  for (int i = 0; i < 20; ++i) {
    b.step();
    asked += b.plan.lease_wanted().size();
  }
  CHECK(asked == 3);
}

TEST_CASE("two sequences that need two leases each never wait for each other") {
  bench_top b(four_slots());
  b.submit(prompt_of(1, 2, 2, {1, 2}));
  b.submit(prompt_of(2, 2, 2, {3, 4}));
  b.submit(prompt_of(3, 2, 2, {5}));
  b.step();
  CHECK(b.plan.lease_wanted() == std::vector<adapter_version>{version_of(1), version_of(2), version_of(5)});
  b.keep(b.plan.lease_granted(version_of(1), lease_of(1)));
  b.step();
  CHECK(b.plan.lease_wanted().empty());
  b.keep(b.plan.lease_granted(version_of(2), lease_of(2)));
  CHECK(b.step().contains(1));
  CHECK(b.plan.lease_wanted() == std::vector<adapter_version>{version_of(3), version_of(4)});
}

TEST_CASE("decode rows come first, then prefill in chunks, the oldest first") {
  auto o = four_slots();
  o.max_rows = 8;
  o.max_prefill_tokens = 6;
  o.prefix_caching = false;  // the prompts are alike
  bench_top b(o);
  b.submit(prompt_of(1, 4, 9));
  b.step();
  b.submit(prompt_of(2, 10, 9));
  b.submit(prompt_of(3, 3, 9));
  CHECK(b.step() == std::map<sequence_id, std::uint32_t>{{1, 1}, {2, 6}});
  CHECK_FALSE(b.last.work->sequences[1].sample);
  CHECK(b.step() == std::map<sequence_id, std::uint32_t>{{1, 1}, {2, 4}, {3, 2}});
  CHECK(b.last.work->sequences[1].sample);
  CHECK(b.step() == std::map<sequence_id, std::uint32_t>{{1, 1}, {2, 1}, {3, 1}});
  CHECK(b.tokens[3].size() == 1);
}

TEST_CASE("equal compositions are neighbours and share a segment; base rows are in none") {
  bench_top b(four_slots());
  auto half = prompt_of(4, 1, 9, {1});
  half.composition[0].weight = 0.5f;
  b.submit(prompt_of(1, 2, 9, {1}));
  b.submit(prompt_of(2, 3, 9));
  b.submit(prompt_of(3, 4, 9, {1}));
  b.submit(half);
  b.step();
  CHECK(b.plan.lease_wanted().size() == 1);
  b.keep(b.plan.lease_granted(version_of(1), lease_of(1)));
  b.step();
  auto& work = *b.last.work;
  CHECK(work.sequences[0].sampling.seed == 2);
  REQUIRE(work.segments.size() == 2);
  CHECK(work.segments[0].first_row == 1);
  CHECK(work.segments[0].rows == 1);
  CHECK(work.uses[work.segments[0].first_use].weight == 0.5f);
  CHECK(work.segments[1].first_row == 2);
  CHECK(work.segments[1].rows == 6);
  CHECK(work.uses.size() == 2);
}

TEST_CASE("when blocks run out the youngest is preempted, recomputed, and gives the same tokens") {
  auto o = four_slots();
  o.blocks = 7;
  bench_top roomy(four_slots()), tight(o);
  for (auto b : {&roomy, &tight})
    for (sequence_id id = 1; id <= 2; ++id)
      b->submit(prompt_of(id, 4, 16));
  roomy.run();
  std::vector<sequence_id> preempted;
  while (!tight.step().empty()) {
    preempted.insert(preempted.end(), tight.last.preempted.begin(), tight.last.preempted.end());
    for (auto& rows : tight.last.work->sequences)
      CHECK(rows.prompt_tokens == 4);
  }
  CHECK(preempted == std::vector<sequence_id>{2});
  CHECK(tight.plan.stats().preemptions == 1);
  CHECK(tight.tokens == roomy.tokens);
  CHECK(tight.tokens[2].size() == 16);
}

TEST_CASE("a paused sequence is left out, keeps what it has, and goes on where it was") {
  bench_top b(four_slots());
  b.submit(prompt_of(1, 3, 4));
  b.submit(prompt_of(2, 3, 9));
  b.step();
  b.plan.pause(1);
  CHECK(b.step() == std::map<sequence_id, std::uint32_t>{{2, 1}});
  CHECK(b.plan.stats().paused == 1);
  CHECK(b.plan.stats().running == 2);
  b.plan.resume(1);
  CHECK(b.step() == std::map<sequence_id, std::uint32_t>{{1, 1}, {2, 1}});
  b.plan.pause(1);
  b.plan.pause(2);
  CHECK(b.step().empty());
  b.keep(b.plan.cancel(1));
  CHECK(b.ends.size() == 1);
}

TEST_CASE("paused sequences give way to the head of the queue, and come back first") {
  bench_top b(four_slots());
  for (sequence_id id = 1; id <= 4; ++id)
    b.submit(prompt_of(id, 3, 30));
  b.step();
  b.plan.pause(1);
  b.plan.pause(3);
  b.submit(prompt_of(5, 3, 3));
  b.submit(prompt_of(6, 60, 4));
  auto rows = b.step();
  CHECK(b.last.preempted == std::vector<sequence_id>{3, 1});
  CHECK(rows.contains(5));
  CHECK(rows.contains(6));
  b.plan.resume(3);
  b.plan.resume(1);
  while (b.ends.size() < 6)
    REQUIRE_FALSE(b.step().empty());
  CHECK(b.tokens[1].size() == 30);
}

TEST_CASE("paused sequences give way to a head that needs every block or token they hold") {
  auto few_tokens = four_slots();
  few_tokens.max_total_tokens = 40;
  auto few_blocks = four_slots();
  few_blocks.blocks = 8;
  for (auto& o : {few_tokens, few_blocks}) {
    bench_top b(o);
    b.submit(prompt_of(1, 3, 20));
    b.step();
    b.plan.pause(1);
    b.submit(prompt_of(2, 30, 2));
    CHECK(b.step().contains(2));
    CHECK(b.last.preempted == std::vector<sequence_id>{1});
  }
}

TEST_CASE("a large head of the queue is not starved by small ones that would fit") {
  auto o = four_slots();
  o.blocks = 16;
  bench_top b(o);
  sequence_id id = 1;
  for (; id <= 3; ++id)
    b.submit(prompt_of(id, 4, 8));
  b.step();
  b.submit(prompt_of(1000, 50, 10));
  int steps = 0;
  while (!b.ends.contains(1000)) {
    b.submit(prompt_of(id++, 4, 8));
    REQUIRE_FALSE(b.step().empty());
    REQUIRE(++steps < 30);
  }
}

TEST_CASE("with a limit of adapters per step every sequence gets its turn") {
  auto o = four_slots();
  o.max_adapters_per_step = 1;
  bench_top b(o);
  for (sequence_id id = 1; id <= 3; ++id)
    b.submit(prompt_of(id, 2, 20, {static_cast<std::uint8_t>(id)}));
  b.submit(prompt_of(4, 2, 20));
  b.step();
  for (auto& version : b.plan.lease_wanted())
    b.keep(b.plan.lease_granted(version, lease_of(version.digest[0])));
  for (int i = 0; i < 12; ++i)
    CHECK(b.step().size() == 2);
  CHECK(b.tokens[1].size() == 4);
  CHECK(b.tokens[2].size() == 4);
  CHECK(b.tokens[3].size() == 4);
}

TEST_CASE("an adapter that drains takes no more sequences, and goes when its last one ends") {
  bench_top t(four_slots());
  t.submit(prompt_of(1, 2, 20, {1}));
  t.submit(prompt_of(2, 2, 6, {2}));
  t.step();
  for (auto number : {std::uint8_t{1}, std::uint8_t{2}})
    t.keep(t.plan.lease_granted(version_of(number), lease_of(number)));
  t.step();
  // 2 has less before it than 1; 3 is no candidate.
  t.submit(prompt_of(3, 2, 2, {3}));
  t.step();
  CHECK(t.plan.lease_wanted() == std::vector{version_of(3)});
  t.keep(t.plan.drain({version_of(1), version_of(2)}, drain_how::finish));
  t.submit(prompt_of(4, 2, 2, {2}));
  t.submit(prompt_of(5, 2, 2, {1}));
  while (!t.ends.contains(2)) {
    auto rows = t.step();
    CHECK(rows.contains(1));
    CHECK_FALSE(rows.contains(4));
  }
  CHECK(t.tokens[2].size() == 6);
  CHECK(t.ends.contains(5));
  CHECK(t.returned == 1);
  // Its lease went back: whoever still wants it asks anew.
  t.step();
  CHECK(t.plan.lease_wanted() == std::vector{version_of(2)});
  t.keep(t.plan.lease_granted(version_of(3), lease_of(3)));
  t.keep(t.plan.lease_granted(version_of(2), lease_of(2)));
  t.run();
  CHECK(t.tokens[1].size() == 20);
  CHECK(t.tokens[3].size() == 2);
  CHECK(t.tokens[4].size() == 2);
  CHECK(t.returned == 4);
}

TEST_CASE("who waits with a draining adapter lets it go, and one drains at a time until all is well") {
  auto narrow = four_slots();
  narrow.max_sequences = 2;
  bench_top t(narrow);
  t.submit(prompt_of(1, 2, 9, {1}));
  t.submit(prompt_of(2, 2, 9));
  t.submit(prompt_of(3, 2, 9, {2}));  // asks ahead, holds its lease and has no slot
  t.step();
  for (auto number : {std::uint8_t{1}, std::uint8_t{2}})
    t.keep(t.plan.lease_granted(version_of(number), lease_of(number)));
  t.step();
  CHECK(t.plan.stats().leases == 2);
  t.keep(t.plan.drain({version_of(1), version_of(2)}, drain_how::finish));
  CHECK(t.returned == 1);
  // Both are named again, but nothing drains any more: the second is asked for anew, or was, and gone.
  t.keep(t.plan.drain({version_of(1)}, drain_how::finish));
  t.submit(prompt_of(4, 2, 3, {1}));
  t.step();
  t.keep(t.plan.drain({}, drain_how::finish));
  t.keep(t.plan.lease_granted(version_of(2), lease_of(2)));
  t.run();
  CHECK(t.ends.size() == 4);
  CHECK(t.tokens[4].size() == 3);
}

TEST_CASE("a drain that takes too long preempts, and a paused sequence never holds it up") {
  for (auto how : {drain_how::finish, drain_how::preempt}) {
    bench_top alone(four_slots());
    alone.submit(prompt_of(1, 3, 20, {1}));
    alone.step();
    alone.keep(alone.plan.lease_granted(version_of(1), lease_of(1)));
    alone.run();

    bench_top t(four_slots());
    t.submit(prompt_of(1, 3, 20, {1}));
    t.submit(prompt_of(2, 3, 20));
    t.step();
    t.keep(t.plan.lease_granted(version_of(1), lease_of(1)));
    for (int i = 0; i < 5; ++i)
      t.step();
    if (how == drain_how::finish) t.plan.pause(1);
    auto out = t.plan.drain({version_of(1)}, how);
    CHECK(out.preempted == std::vector<sequence_id>{1});
    t.keep(std::move(out));
    CHECK(t.returned == 1);
    CHECK(t.plan.stats().running == 1);
    t.plan.resume(1);
    t.step();
    CHECK(t.plan.lease_wanted() == std::vector{version_of(1)});
    t.keep(t.plan.lease_granted(version_of(1), lease_of(1)));
    t.run();
    CHECK(t.tokens[1] == alone.tokens[1]);
    CHECK(t.tokens[2].size() == 20);
  }
}

TEST_CASE("who yields while its adapter drains does not keep it from those before it") {
  auto narrow = four_slots();
  narrow.max_sequences = 3;
  bench_top t(narrow);
  for (sequence_id id : {1, 2, 3})
    t.submit(prompt_of(id, 3, 20, {1}));
  t.step();
  t.keep(t.plan.lease_granted(version_of(1), lease_of(1)));
  t.step();
  t.plan.pause(1);
  t.keep(t.plan.drain({version_of(1)}, drain_how::finish));  // 1 waits without the lease
  t.plan.resume(1);
  t.submit(prompt_of(4, 3, 40));
  t.step();
  t.submit(prompt_of(5, 3, 2, {2}));
  t.step();
  t.keep(t.plan.lease_granted(version_of(2), lease_of(2)));
  t.step();
  REQUIRE(t.plan.stats().yields == 1);  // 3, behind 1
  while (!t.ends.contains(2))
    t.step();
  t.keep(t.plan.drain({}, drain_how::finish));
  t.step();
  CHECK(t.plan.lease_wanted() == std::vector{version_of(1)});
  t.keep(t.plan.lease_granted(version_of(1), lease_of(1)));
  t.run();
  for (sequence_id id : {1, 2, 3})
    CHECK(t.tokens[id].size() == 20);
}

TEST_CASE("a sequence in the step in flight gives way when the step is over") {
  bench_top t(four_slots());
  t.submit(prompt_of(1, 3, 20, {1}));
  t.step();
  t.keep(t.plan.lease_granted(version_of(1), lease_of(1)));
  auto step = t.plan.next_step();
  REQUIRE(step);
  auto at_once = t.plan.drain({version_of(1)}, drain_how::preempt);
  CHECK(at_once.preempted.empty());
  CHECK(at_once.leases.empty());
  auto after = t.plan.complete(t.device.execute(*step->work));
  CHECK(after.tokens.size() == 1);
  CHECK(after.preempted == std::vector<sequence_id>{1});
  CHECK(after.leases.size() == 1);
}

TEST_CASE("a failed step ends its sequences, and only them") {
  bench_top b(four_slots());
  for (sequence_id id = 1; id <= 6; ++id)
    b.submit(prompt_of(id, 3, 3));
  REQUIRE(b.plan.next_step());
  b.keep(b.plan.step_failed(fail(errc::generation_failed, "device lost")));
  CHECK(b.ends.size() == 4);
  CHECK(b.ends.at(1).error().code == errc::generation_failed);
  CHECK(b.plan.stats().blocks_used == 0);
  b.run();
  CHECK(*b.ends.at(6) == finish_reason::length);
}

TEST_CASE("a sequence whose logits are not finite ends alone") {
  bench_top b(four_slots());
  b.submit(prompt_of(1, 3, 3));
  b.submit(prompt_of(2, 3, 3));
  auto step = b.plan.next_step();
  REQUIRE(step);
  auto output = all_sample(*step->work, 5);
  output.tokens[0].logprob = std::numeric_limits<float>::quiet_NaN();
  b.keep(b.plan.complete(output));
  CHECK(b.ends.at(1).error().code == errc::generation_failed);
  CHECK_FALSE(b.tokens.contains(1));
  b.run();
  CHECK(*b.ends.at(2) == finish_reason::length);
}

TEST_CASE("rules that leave a sequence no token end it alone, as the request's mistake") {
  bench_top b(four_slots());
  b.submit(prompt_of(1, 3, 3));
  b.submit(prompt_of(2, 3, 3));
  auto step = b.plan.next_step();
  REQUIRE(step);
  auto output = all_sample(*step->work, 5);
  output.tokens[0].token = no_token;
  output.tokens[0].logprob = std::numeric_limits<float>::quiet_NaN();
  b.keep(b.plan.complete(output));
  CHECK(b.ends.at(1).error().code == errc::invalid);
  CHECK(b.ends.at(1).error().text.find("allowed_token_ids") != std::string::npos);
  CHECK_FALSE(b.tokens.contains(1));
  b.run();
  CHECK(*b.ends.at(2) == finish_reason::length);
}

TEST_CASE("a stop token ends its sequence, is reported, and is no end token of others") {
  bench_top b(four_slots());
  token_rules rules;
  rules.stops = {5, 9};
  for (sequence_id id = 1; id <= 3; ++id) {
    auto s = prompt_of(id, 3, 4);
    if (id < 3) s.sampling.rules = shared_rules(rules);
    s.ignore_eos = id != 2;
    b.submit(s);
  }
  auto step = [&](token_id token) {
    auto planned = b.plan.next_step();
    REQUIRE(planned);
    b.keep(b.plan.complete(all_sample(*planned->work, token)));
  };
  step(7);
  CHECK(b.ends.empty());
  step(9);
  CHECK(*b.ends.at(1) == finish_reason::stop_sequence);
  CHECK(*b.ends.at(2) == finish_reason::stop_sequence);
  CHECK(b.tokens[1] == std::vector<token_id>{7, 9});
  CHECK_FALSE(b.ends.contains(3));
  step(0);
  step(0);
  CHECK(*b.ends.at(3) == finish_reason::length);
}

TEST_CASE("an end token that is also a stop token is an end token, and a stop token where ends are ignored") {
  for (bool ignored : {false, true}) {
    bench_top b(four_slots());
    token_rules rules;
    rules.stops = {0};
    auto s = prompt_of(1, 3, 4);
    s.sampling.rules = shared_rules(rules);
    s.ignore_eos = ignored;
    b.submit(s);
    auto planned = b.plan.next_step();
    b.keep(b.plan.complete(all_sample(*planned->work, 0)));
    CHECK(*b.ends.at(1) == (ignored ? finish_reason::stop_sequence : finish_reason::eos_token));
  }
}

TEST_CASE("the prompt is told in chunks, each token once, also when it is preempted in the middle") {
  auto o = four_slots();
  o.blocks = 8;
  o.max_prefill_tokens = 5;
  bench_top b(o);
  auto first = prompt_of(1, 4, 20);
  auto second = prompt_of(2, 18, 3);
  second.prompt_logprobs = 2;
  b.submit(first);
  b.submit(second);
  std::vector<std::pair<std::uint32_t, std::uint32_t>> rows;
  std::vector<token_id> told;
  while (auto planned = b.plan.next_step()) {
    for (auto& s : planned->work->sequences)
      if (s.sampling.seed == 2 && s.scored > 0) {
        rows.emplace_back(s.context + s.first_scored, s.scored);
        CHECK(s.scored_top == 2);
      }
    auto out = b.plan.complete(b.device.execute(*planned->work));
    for (auto& t : out.scored) {
      CHECK(t.id == 2);
      CHECK(t.top.size() == 2);
      told.push_back(t.token);
    }
    b.keep(std::move(out));
  }
  CHECK(told == std::vector<token_id>(second.prompt.begin() + 1, second.prompt.end()));
  std::uint32_t next = 0;
  for (auto& [begin, count] : rows) {
    CHECK(begin == next);
    next += count;
  }
  CHECK(next == 17);
  CHECK(*b.ends.at(2) == finish_reason::length);
}

TEST_CASE("a prompt that is told of something not finite ends its sequence") {
  bench_top b(four_slots());
  auto s = prompt_of(1, 5, 3);
  s.prompt_logprobs = 0;
  b.submit(s);
  b.submit(prompt_of(2, 3, 3));
  auto step = b.plan.next_step();
  REQUIRE(step);
  auto output = b.device.execute(*step->work);
  REQUIRE(output.scored.size() == 4);
  output.scored[2].logprob = std::numeric_limits<float>::quiet_NaN();
  b.keep(b.plan.complete(output));
  CHECK(b.ends.at(1).error().code == errc::generation_failed);
  b.run();
  CHECK(*b.ends.at(2) == finish_reason::length);
}

TEST_CASE("an output with too few or misplaced prompt tokens fails the step") {
  for (int broken = 0; broken < 4; ++broken) {
    bench_top b(four_slots());
    auto s = prompt_of(1, 5, 3);
    s.prompt_logprobs = 0;
    b.submit(s);
    auto step = b.plan.next_step();
    auto output = b.device.execute(*step->work);
    if (broken == 0) output.scored.pop_back();
    if (broken == 1) output.scored.push_back(output.scored[0]);
    if (broken == 2) output.scored[1].sequence = 1;
    if (broken == 3) output.scored[1].token = 7;
    auto out = b.plan.complete(output);
    CHECK(out.scored.empty());
    b.keep(std::move(out));
    CHECK(b.ends.at(1).error().code == errc::internal);
  }
}

TEST_CASE("an output that does not match its step fails the step") {
  for (auto& broken : {step_output{}, step_output{{{0, 5, 0}, {0, 5, 0}}},
                       step_output{{{1, 5, 0}, {0, 5, 0}}}, step_output{{{0, 5, 0}, {1, -1, 0}}}}) {
    bench_top b(four_slots());
    b.submit(prompt_of(1, 3, 3));
    b.submit(prompt_of(2, 3, 3));
    REQUIRE(b.plan.next_step());
    b.keep(b.plan.complete(broken));
    CHECK(b.ends.size() == 2);
    CHECK(b.ends.at(2).error().code == errc::internal);
    CHECK(b.tokens.empty());
  }
}

TEST_CASE("a second step is not planned while one is in flight, and none is completed twice") {
  bench_top b(four_slots());
  b.submit(prompt_of(1, 3, 3));
  REQUIRE(b.plan.next_step());
  CHECK(b.plan.step_in_flight());
  CHECK_FALSE(b.plan.next_step());
  b.keep(b.plan.step_failed(fail(errc::generation_failed, "device lost")));
  CHECK_THROWS_AS(b.plan.complete({}), std::logic_error);
  CHECK_THROWS_AS(b.plan.step_failed({}), std::logic_error);
}

TEST_CASE(
    "a planner is idle when every sequence has ended, and blocks are empty unless their content is kept") {
  for (bool kept : {true, false}) {
    auto options = four_slots();
    options.prefix_caching = kept;
    bench_top b(options);
    CHECK(b.plan.idle());
    CHECK(b.plan.empty_blocks().size() == options.blocks);
    REQUIRE(b.plan.submit(prompt_of(1, 9, 3)));
    CHECK_FALSE(b.plan.idle());
    while (!b.step().empty())
      CHECK(b.plan.empty_blocks().size() ==
            options.blocks - b.plan.stats().blocks_used - (b.plan.idle() && kept ? 2 : 0));
    CHECK(b.plan.idle());
    const auto empty = b.plan.empty_blocks();
    CHECK(empty.size() == options.blocks - (kept ? 2 : 0));
    CHECK(std::ranges::is_sorted(empty));
  }
}
