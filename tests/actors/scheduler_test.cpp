#include "actors/scheduler.hpp"

#include <algorithm>
#include <string>

#include "tests/actors/scheduler_desk.hpp"
#include "tests/catch.hpp"

using namespace lorica;
using namespace lorica::test;

namespace {

constexpr auto rest_after = std::chrono::seconds(5);

/// An adapter that is where steps read it some time after it was attached.
class late_packed final : public packed_adapter {
 public:
  explicit late_packed(double seconds) : seconds_(seconds) {}
  const adapter_version& version() const noexcept override { return version_; }
  std::uint64_t bytes() const noexcept override { return 1; }
  std::vector<std::uint32_t> ranks() const override { return {8}; }
  const merge_shape& shape() const noexcept override { return shape_; }
  double seconds_to_come() const noexcept override { return seconds_; }

 private:
  double seconds_;
  adapter_version version_;
  merge_shape shape_;
};

}  // namespace

TEST_CASE("choices of one request run in the same steps to their length") {
  desk f;
  f.submit(1, 2);
  f.world.run();
  CHECK(f.events.size() == 12);
  CHECK(f.events.back().end == finish_reason::length);
  CHECK(f.engine.most_sequences == 2);
  CHECK(f.board->snapshot()->kv_blocks_used == 0);
  CHECK(f.board->snapshot()->steps == f.engine.steps);
}

TEST_CASE("telemetry hears once of each step") {
  desk f;
  f.submit(1, 2);
  f.world.run();
  f.submit(3);  // tells of itself, not again of the step before
  f.world.run();
  CHECK(gauge_of(f.counters, "lorica_steps_total") == 12);
  CHECK(gauge_of(f.counters, "lorica_step_seconds_count") == 12);
  CHECK(gauge_of(f.counters, "lorica_requests_running") == 0);
}

TEST_CASE("the planner learns what steps take from those that ran") {
  desk f;
  f.timed.per_step = std::chrono::milliseconds(300);
  f.timed.per_row = std::chrono::milliseconds(20);
  for (sequence_id id = 1; id < 800; id += 4) {
    f.submit(id, static_cast<std::uint32_t>(1 + id % 3));
    f.world.run();
  }
  CHECK(f.engine.steps == 1200);
  // Without the seconds the error stays at its first value, 1; with seconds of other steps it stays large.
  CHECK(gauge_of(f.counters, "lorica_step_price_error") < 0.1);
}

TEST_CASE("how far clients that wait are apart is told with its bound") {
  desk f;
  f.timed.per_step = std::chrono::milliseconds(100);
  f.submit(1);
  f.world.run();
  CHECK(gauge_of(f.counters, "lorica_schedule_gap_seconds") == 0);
  // Six tokens at once, twice, of a tenth of a second each and something for rows.
  CHECK(gauge_of(f.counters, "lorica_schedule_gap_bound_seconds") >= 0.2);
  auto text = f.counters.text();
  CHECK(text.find("lorica_steps_apart_total 0") != std::string::npos);
}

TEST_CASE("a step that was answered leaves no timer behind") {
  desk f;
  f.world.run();
  auto before = f.world.timers();
  f.submit(1);
  f.world.run();
  CHECK(f.engine.steps == 6);
  CHECK(f.world.timers() == before + 1);  // until the server rests
  f.world.pass(rest_after);
  CHECK(f.world.timers() == before);
}

TEST_CASE("five seconds after the last step memory is given back, once") {
  desk f;
  f.world.pass(2 * rest_after);
  CHECK(f.engine.rests == 0);  // nothing was taken yet
  f.submit(1);
  f.world.pass(rest_after - std::chrono::milliseconds(1));
  CHECK(f.engine.rests == 0);
  f.world.pass(std::chrono::milliseconds(1));
  CHECK(f.engine.rests == 1);
  CHECK(f.counters.text().find("lorica_rests_total 1\n") != std::string::npos);
  f.world.pass(10 * rest_after);
  CHECK(f.engine.rests == 1);
  CHECK(f.world.timers() == 0);
}

TEST_CASE("work that comes meanwhile puts the rest off, with one timer however often it comes") {
  desk f;
  for (sequence_id id = 1; id < 9; ++id) {
    f.submit(id);
    f.world.pass(rest_after / 4);
    CHECK(f.world.timers() == 1);
    CHECK(f.engine.rests == 0);
  }
  f.world.pass(rest_after);  // the timer that was set sees that work came, and waits again
  f.world.pass(rest_after);
  CHECK(f.engine.rests == 1);
}

TEST_CASE("blocks whose content may be wanted again are not among those that a rest gives back") {
  desk f;
  submission s;
  s.session = f.session;
  s.first = 1;
  s.prompts = {{std::vector<token_id>(9, 'x'), 1}};
  s.ignore_eos = true;
  f.submit(std::move(s));
  f.world.pass(rest_after);
  CHECK(f.engine.rests == 1);
  CHECK(f.engine.empty_blocks == small_limits().blocks - 2);  // two of four tokens each are full
}

TEST_CASE("a sequence that is paused has not ended") {
  desk f;
  f.submit(2);
  f.world.run();
  f.submit(1);
  caf::anon_send(f.scheduler, atom::pause::value, sequence_id{1});
  f.world.pass(10 * rest_after);
  CHECK(f.engine.rests == 0);
  caf::anon_send(f.scheduler, atom::resume::value, sequence_id{1});
  f.world.pass(rest_after);
  CHECK(f.engine.rests == 1);
}

TEST_CASE("a cancel that arrived before a step keeps its sequence out of it") {
  desk f;
  f.world.run();
  f.submit(1);
  caf::anon_send(f.scheduler, atom::cancel::value, sequence_id{1});
  f.world.run();
  CHECK(f.engine.steps == 0);
  CHECK(f.events.empty());
  CHECK(f.errors.empty());
}

TEST_CASE("a version that cannot be had ends its requests with the reason") {
  desk f;
  f.submit_adapted(5, 3);
  f.world.run();
  REQUIRE(f.errors.size() == 1);
  CHECK(f.errors[0]->reason == "source_changed");
  CHECK(f.engine.steps == 0);
}

TEST_CASE("nobody waits in a step for an adapter that is on its way for longer than a step may take") {
  // Of the first two steps 20 ms are over before its lease is here; the rest then fits after 40 more.
  const auto [seconds, tokens_before] = GENERATE(table<double, int>({{0, 2}, {0.015, 2}, {0.055, 6}}));
  INFO("seconds to come " << seconds);
  desk f(0.02);
  f.timed.per_step = std::chrono::milliseconds(10);
  f.lease = std::make_shared<late_packed>(seconds);
  REQUIRE(f.engine.attach(f.lease));
  f.submit(1);
  f.submit_adapted(5, 2, 2);
  f.world.run();
  CHECK(f.errors.empty());
  REQUIRE(f.events.size() == 10);
  // Only the adapter's request has a second choice.
  const auto second = std::ranges::find(f.events, 1u, &token_event::choice);
  CHECK(second - f.events.begin() == tokens_before + 1);
  f.engine.detach(*f.lease);
}

TEST_CASE("what comes behind a step is heard behind what the step gave, whenever it comes") {
  // Of two tokens and of three: no step is planned ahead behind the second and the third, so what they gave
  // waits in the scheduler until it has tried the next one.
  auto begin = [](desk& f, int messages) {
    submission s;
    s.session = f.session;
    s.first = 1;
    s.prompts = {{{'h', 'i'}, 2}, {{'h', 'i'}, 3}};
    s.ignore_eos = true;
    f.submit(std::move(s));
    f.world.run_some(messages);
  };
  for (int messages = 0; messages < 60; ++messages) {
    INFO("after " << messages << " messages");
    {
      desk f;
      begin(f, messages);
      const auto steps = f.engine.steps.load();
      caf::anon_send(f.scheduler, atom::cancel::value, sequence_id{2});
      f.world.run();
      CHECK(static_cast<std::uint64_t>(std::ranges::count(f.events, 1u, &token_event::choice)) >= steps);
    }
    {
      desk f;
      begin(f, messages);
      f.submit_adapted(5, 3);  // is refused
      f.world.run();
      REQUIRE(f.errors.size() == 1);
      CHECK(f.events.size() == 5);
      const auto steps = f.steps_before_lease;
      CHECK(f.events_before_error >= steps + std::min<std::uint64_t>(2, steps));
    }
  }
}

TEST_CASE("a request beyond the queue's bound is refused once, whatever its number of choices") {
  desk f;
  f.submit(1, 9);
  f.world.run();
  REQUIRE(f.errors.size() == 1);
  CHECK(f.errors[0]->code == errc::overloaded);
}

TEST_CASE("without its executor the scheduler ends every request and itself") {
  desk f;
  caf::anon_send_exit(f.executor, caf::exit_reason::kill);
  f.world.run();
  f.submit(1);
  f.submit(2);
  f.world.run();
  REQUIRE(f.errors.size() == 2);
  CHECK(f.errors[0]->code == errc::generation_failed);
  CHECK_FALSE(f.board->snapshot()->healthy);
  f.submit(3);
  f.world.run();
  CHECK(f.errors.size() == 2);
}

TEST_CASE("an executor that ends behind a failed step takes the step that was ordered ahead with it") {
  desk f;
  f.engine.gone = true;
  f.submit(1);
  f.world.run();
  REQUIRE(f.errors.size() == 1);
  CHECK(f.errors[0]->code == errc::generation_failed);
  CHECK_THAT(f.errors[0]->text, Catch::Contains("the device is gone"));
  CHECK_FALSE(f.board->snapshot()->healthy);
  f.submit(2);
  f.world.run();
  CHECK(f.errors.size() == 1);  // the scheduler has ended
}
