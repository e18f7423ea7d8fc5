// Who shares a step while adapters are still on their way to where steps read them.
#include <chrono>
#include <set>

#include "engine/planner.hpp"
#include "tests/catch.hpp"
#include "tests/engine/plan_desk.hpp"

using namespace lorica;
using namespace lorica::testing;
using namespace std::chrono_literals;

namespace {

constexpr sequence_id decoder = 1, late = 2, prompt = 3;

/// Prices are the first guess of a tiny model: about 1 ms for a step, whatever is in it.
planner_options with_target(double seconds) {
  auto o = four_slots();
  o.max_rows = 64;
  o.inter_token_target = seconds;
  return o;
}

/// A planner at 1 s, and steps that are done as soon as they are planned.
struct stage : plan_desk {
  explicit stage(double target = 0.01) : plan_desk(with_target(target)) { plan.advance_to(1s); }

  /// A step is planned and done, in so many seconds; who was in it.
  std::set<sequence_id> step(double seconds = 0) {
    auto planned = plan.next_step();
    std::set<sequence_id> out;
    if (!planned) return out;
    for (auto& s : planned->work->sequences)
      out.insert(s.sampling.seed);
    auto done = device.execute(*planned->work);
    done.seconds = seconds;
    keep(plan.complete(done));
    return out;
  }

  void come(sequence_id id, std::size_t tokens, const std::vector<std::uint8_t>& adapters = {}) {
    submit(own_prompt_of(id, tokens, 20, adapters));
  }

  void grant(std::uint8_t number, std::chrono::nanoseconds arrives) {
    static_cast<void>(plan.lease_wanted());
    keep(plan.lease_granted(version_of(number), lease_of(number), arrives));
  }

  /// A sequence comes whose adapter is there at this time.
  void come_with(sequence_id id, std::size_t tokens, std::uint8_t adapter, std::chrono::nanoseconds arrives) {
    come(id, tokens, {adapter});
    grant(adapter, arrives);
  }
};

/// Who is beside the sequence whose adapter is on its way.
enum class company { nobody, decoder, prompt };

struct situation {
  const char* what;
  double target;  // seconds
  company beside;
  std::chrono::microseconds left;  // of the copy
  bool shares;                     // the late one is in the next step
};

}  // namespace

TEST_CASE("who waits for an adapter shares a step with decode rows only where the wait fits") {
  const auto s = GENERATE(values<situation>({
      {"nothing is left to copy", 0.01, company::decoder, 0us, true},
      {"the rest fits the target", 0.01, company::decoder, 9'000us, true},
      {"the rest is longer than the target", 0.01, company::decoder, 11'000us, false},
      {"much longer", 0.01, company::decoder, 2'000'000us, false},
      {"there is no target", 0, company::decoder, 2'000'000us, true},
      {"the target is past, and the rest is hidden in the decode rows", 0.0001, company::decoder, 500us,
       true},
      {"the target is past, and the rest is not", 0.0001, company::decoder, 5'000us, false},
      {"nobody else is there", 0.01, company::nobody, 2'000'000us, true},
      {"only prompts are beside it", 0.01, company::prompt, 2'000'000us, true},
  }));
  INFO(s.what);
  stage t(s.target);
  if (s.beside == company::decoder) {
    t.come(decoder, 4);
    REQUIRE(t.step() == std::set{decoder});
  }
  t.come_with(late, s.target == 0.0001 ? 1 : 6, 7, 1s + s.left);  // a prompt would wait for its rows
  if (s.beside == company::prompt) t.come(prompt, 6);
  const auto rows = t.step();
  CHECK(rows.contains(late) == s.shares);
  CHECK(rows.contains(decoder) == (s.beside == company::decoder));
  CHECK(rows.contains(prompt) == (s.beside == company::prompt));
}

TEST_CASE("who sits out for an adapter runs as soon as what is left of it fits, and keeps its tokens") {
  stage t;
  t.come(decoder, 4);
  t.step();
  t.come_with(late, 6, 7, 1050ms);
  for (auto now = 1000ms; now < 1040ms; now += 10ms) {
    t.plan.advance_to(now);
    CHECK(t.step() == std::set{decoder});
  }
  t.plan.advance_to(1041ms);
  CHECK(t.step() == std::set{decoder, late});
  t.plan.advance_to(1042ms);
  CHECK(t.step() == std::set{decoder, late});
}

TEST_CASE("of several adapters of one sequence the last to arrive counts, and others with the first go on") {
  stage t;
  t.come_with(decoder, 4, 7, 0ns);
  t.step();
  t.come(late, 6, {7, 8});
  t.step();
  t.grant(8, 1500ms);
  CHECK(t.step() == std::set{decoder});
  t.plan.advance_to(1500ms);
  CHECK(t.step() == std::set{decoder, late});
}

TEST_CASE("once a step has waited for an adapter nobody does again, whatever was foreseen") {
  stage t;
  t.come_with(late, 6, 7, 100s);
  CHECK(t.step() == std::set{late});
  t.come(decoder, 1);
  CHECK(t.step() == std::set{decoder, late});
  CHECK(t.step() == std::set{decoder, late});
}

TEST_CASE("two that decode with adapters on their way do not hold each other up") {
  stage t;
  t.come(late, 1, {7});
  t.come(prompt, 1, {8});
  t.grant(7, 5s);
  t.grant(8, 6s);
  CHECK(t.step() == std::set{late, prompt});
}

TEST_CASE("prices are not learned from steps that waited for an adapter") {
  stage t;
  t.come_with(late, 6, 7, 2s);
  const auto before = t.plan.cost().steps();
  REQUIRE(t.step(1) == std::set{late});
  CHECK(t.plan.cost().steps() == before);
  t.plan.advance_to(2s);
  REQUIRE(t.step(0.001) == std::set{late});
  CHECK(t.plan.cost().steps() == before + 1);
}
