// Steps that the scheduler orders while the one before is computed, and the executor's part in it.
#include <caf/event_based_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include "engine/sequence_end.hpp"
#include "tests/actors/scheduler_desk.hpp"
#include "tests/catch.hpp"

using namespace lorica;
using namespace lorica::test;

namespace {

std::string text_of(const desk& f, std::uint32_t choice = 0) {
  std::string out;
  for (auto& e : f.events)
    if (e.choice == choice && e.id < 256) out.push_back(static_cast<char>(e.id));
  return out;
}

/// Handles messages one by one until so many steps were computed.
void run_to_step(desk& f, std::uint64_t steps) {
  while (f.engine.steps < steps)
    f.world.run_some(1);
}

/// One base sequence on slot 0.
batch_ptr one_row(token_id token, std::uint32_t context, bool ignore_eos = true) {
  auto out = std::make_shared<batch>();
  out->tokens = {token};
  out->block_table = {0, 1, 2};
  out->eos = {fake_tokenizer::eos_id};
  sequence_rows s;
  s.rows = 1;
  s.context = context;
  s.blocks = 3;
  s.prompt_tokens = 1;
  s.sample = true;
  s.ignore_eos = ignore_eos;
  out->sequences = {s};
  return out;
}

/// Asks the executor as the scheduler does, and keeps the answers in order.
struct asker {
  explicit asker(desk& world) : f(world) {}

  template <class Order>
  void ask(const Order& order) {
    f.world.system().spawn(
        [](caf::event_based_actor* self, asker* to, const Order& what) {
          self->request(to->f.executor, caf::infinite, atom::execute::value, what)
              .then([to](const step_reply& r) { to->replies.push_back(r); });
        },
        this, order);
    f.world.run();
  }

  desk& f;
  std::vector<step_reply> replies;
};

ahead_order_ptr order_of(batch_ptr work) {
  return std::make_shared<const ahead_order>(std::move(work));
}

}  // namespace

TEST_CASE("all steps but the first of a calm generation are planned ahead, and the text is the same") {
  desk f;
  f.submit(1);
  f.world.run();
  CHECK(f.engine.steps == 6);
  CHECK(gauge_of(f.counters, "lorica_steps_ahead_total") == 5);
  CHECK(gauge_of(f.counters, "lorica_steps_total") == 6);
  CHECK(gauge_of(f.counters, "lorica_step_seconds_count") == 6);
  CHECK(f.engine.broken == 0);
  CHECK(text_of(f) == expect("", "hi", 6).text);
}

TEST_CASE("who comes while a step is computed is in the one that is planned next") {
  for (std::uint64_t after = 1; after < 5; ++after) {
    INFO("after step " << after);
    desk f;
    f.submit(1);
    run_to_step(f, after);
    f.submit(5);
    f.world.run();
    CHECK(f.engine.most_sequences == 2);
    // At most one step more without it: that one was computed before the scheduler heard of the newcomer.
    CHECK(f.engine.steps <= after + 1 + 6);
    CHECK(f.events.size() == 12);
    CHECK(f.engine.broken == 0);
  }
}

TEST_CASE("an end in the middle is followed by a step without the one that ended") {
  desk f;
  // A seed whose text ends by itself, beside one that ignores ends.
  std::uint64_t seed = 1;
  while (!(expect("", "hi", 20, seed).eos && expect("", "hi", 20, seed).tokens > 2))
    ++seed;
  submission s;
  s.session = f.session;
  s.first = 1;
  s.prompts = {{{'h', 'i'}, 20}};
  s.sampling.sample = true;
  s.sampling.seed = seed;
  f.submit(std::move(s));
  f.world.run();
  const auto alone = expect("", "hi", 20, seed);
  CHECK(text_of(f) == alone.text);
  REQUIRE_FALSE(f.events.empty());
  CHECK(f.events.back().end == finish_reason::eos_token);
  CHECK(f.engine.steps == alone.tokens);
  CHECK(f.board->snapshot()->kv_blocks_used == 0);
}

TEST_CASE("a choice that is cancelled while steps are ordered gets no token more, and all is given back") {
  for (std::uint64_t after = 1; after < 6; ++after) {
    INFO("after step " << after);
    desk f;
    f.submit(1, 2);
    run_to_step(f, after);
    caf::anon_send(f.scheduler, atom::cancel::value, sequence_id{2});
    f.world.run();
    auto of_second = std::ranges::count_if(f.events, [](auto& e) { return e.choice == 1; });
    CHECK(static_cast<std::uint64_t>(of_second) <= after);
    CHECK(text_of(f) == expect("", "hi", 6).text);
    CHECK(f.board->snapshot()->kv_blocks_used == 0);
  }
}

TEST_CASE("a step that fails takes the one behind it along, and the next request is served") {
  desk f;
  f.submit(1);
  run_to_step(f, 2);
  f.engine.failures = 1;
  f.world.run();
  REQUIRE(f.errors.size() == 1);
  CHECK(f.errors[0]->code == errc::generation_failed);
  const auto steps = f.engine.steps.load();
  CHECK(steps == 3);
  f.events.clear();
  f.submit(5);
  f.world.run();
  CHECK(f.engine.steps == steps + 6);
  CHECK(f.events.size() == 6);
  CHECK(f.board->snapshot()->kv_blocks_used == 0);
}

TEST_CASE("the executor begins an order only right behind a step after which all go on") {
  desk f;
  asker a(f);
  a.ask(order_of(one_row(sampled_last, 1)));
  REQUIRE(a.replies.size() == 1);
  CHECK_FALSE(a.replies[0]);  // there was no step
  a.ask(one_row('x', 0));
  a.ask(order_of(one_row(sampled_last, 1)));
  a.ask(order_of(one_row(sampled_last, 2)));
  REQUIRE(a.replies.size() == 4);
  for (int i : {1, 2, 3}) {
    REQUIRE(a.replies[i]);
    CHECK(*a.replies[i]);
  }
  auto withdrawn = order_of(one_row(sampled_last, 3));
  withdrawn->withdraw();
  a.ask(withdrawn);
  a.ask(order_of(one_row(sampled_last, 3)));  // the one before it was not computed
  REQUIRE(a.replies.size() == 6);
  CHECK_FALSE(a.replies[4]);
  CHECK_FALSE(a.replies[5]);
  CHECK(f.engine.steps == 3);
  f.engine.failures = 1;
  a.ask(one_row('x', 0));
  a.ask(order_of(one_row(sampled_last, 1)));
  CHECK_FALSE(a.replies.back());
  // Until the end token, which ends it.
  a.ask(one_row('x', 0, false));
  std::uint32_t context = 1;
  while (a.replies.back() && (*a.replies.back())->tokens[0].token != fake_tokenizer::eos_id && context < 11)
    a.ask(order_of(one_row(sampled_last, context++, false)));
  const auto goes_on = a.replies.back() && context == 11;
  a.ask(order_of(one_row(sampled_last, context, false)));
  CHECK(static_cast<bool>(a.replies.back()) == goes_on);
}
