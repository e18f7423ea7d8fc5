// Who shares a step while adapters are still on their way to where steps read them.
#include <chrono>
#include <map>
#include <set>

#include "engine/planner.hpp"
#include "tests/catch.hpp"
#include "tests/engine/fake_device.hpp"

using namespace lorica;
using namespace std::chrono_literals;
using lorica::testing::fake_adapter;
using lorica::testing::fake_device;
using lorica::testing::version_of;

namespace {

constexpr sequence_id decoder = 1, late = 2, prompt = 3;

/// Prices are the first guess of a tiny model: about 1 ms for a step, whatever is in it.
planner_options with_target(double seconds) {
  planner_options o{.block_tokens = 4, .blocks = 64, .max_sequences = 4, .max_rows = 64, .max_positions = 64};
  o.inter_token_target = seconds;
  return o;
}

sequence sequence_of(sequence_id id, std::size_t tokens, std::vector<std::uint8_t> adapters = {}) {
  sequence s;
  s.id = id;
  for (std::size_t i = 0; i < tokens; ++i)
    s.prompt.push_back(static_cast<token_id>(100 * id + i));
  s.max_new_tokens = 20;
  s.ignore_eos = true;
  s.sampling.seed = id;
  for (auto number : adapters)
    s.composition.push_back({version_of(number), 1.0f});
  return s;
}

struct stage {
  explicit stage(double target) : plan(with_target(target)), device(with_target(target)) {}

  /// A step is planned and done; who was in it.
  std::set<sequence_id> step() {
    auto planned = plan.next_step();
    std::set<sequence_id> out;
    if (!planned) return out;
    for (auto& s : planned->work->sequences)
      out.insert(s.sampling.seed);
    static_cast<void>(plan.complete(device.execute(*planned->work)));
    return out;
  }

  void submit(const sequence& s) { REQUIRE(plan.submit(s)); }

  void grant(std::uint8_t number, std::chrono::nanoseconds arrives) {
    static_cast<void>(plan.lease_wanted());
    static_cast<void>(
        plan.lease_granted(version_of(number), std::make_shared<fake_adapter>(version_of(number)), arrives));
  }

  planner plan;
  fake_device device;
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
  t.plan.advance_to(1s);
  if (s.beside == company::decoder) {
    t.submit(sequence_of(decoder, 4));
    REQUIRE(t.step() == std::set{decoder});
  }
  t.submit(sequence_of(late, s.target == 0.0001 ? 1 : 6, {7}));  // a prompt would wait for its rows
  t.grant(7, 1s + s.left);
  if (s.beside == company::prompt) t.submit(sequence_of(prompt, 6));
  const auto rows = t.step();
  CHECK(rows.contains(late) == s.shares);
  CHECK(rows.contains(decoder) == (s.beside == company::decoder));
  CHECK(rows.contains(prompt) == (s.beside == company::prompt));
}

TEST_CASE("who sits out for an adapter runs as soon as what is left of it fits, and keeps its tokens") {
  stage t(0.01);
  t.plan.advance_to(1s);
  t.submit(sequence_of(decoder, 4));
  t.step();
  t.submit(sequence_of(late, 6, {7}));
  t.grant(7, 1050ms);
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
  stage t(0.01);
  t.plan.advance_to(1s);
  t.submit(sequence_of(decoder, 4, {7}));
  t.grant(7, 0ns);
  t.step();
  t.submit(sequence_of(late, 6, {7, 8}));
  t.step();
  t.grant(8, 1500ms);
  CHECK(t.step() == std::set{decoder});
  t.plan.advance_to(1500ms);
  CHECK(t.step() == std::set{decoder, late});
}

TEST_CASE("once a step has waited for an adapter nobody does again, whatever was foreseen") {
  stage t(0.01);
  t.plan.advance_to(1s);
  t.submit(sequence_of(late, 6, {7}));
  t.grant(7, 100s);
  CHECK(t.step() == std::set{late});
  t.submit(sequence_of(decoder, 1));
  CHECK(t.step() == std::set{decoder, late});
  CHECK(t.step() == std::set{decoder, late});
}

TEST_CASE("two that decode with adapters on their way do not hold each other up") {
  stage t(0.01);
  t.plan.advance_to(1s);
  t.submit(sequence_of(late, 1, {7}));
  t.submit(sequence_of(prompt, 1, {8}));
  t.grant(7, 5s);
  t.grant(8, 6s);
  CHECK(t.step() == std::set{late, prompt});
}

TEST_CASE("prices are not learned from steps that waited for an adapter") {
  stage t(0.01);
  t.plan.advance_to(1s);
  t.submit(sequence_of(late, 6, {7}));
  t.grant(7, 2s);
  const auto before = t.plan.cost().steps();
  auto planned = t.plan.next_step();
  REQUIRE(planned);
  auto done = t.device.execute(*planned->work);
  done.seconds = 1;
  static_cast<void>(t.plan.complete(done));
  CHECK(t.plan.cost().steps() == before);
  t.plan.advance_to(2s);
  planned = t.plan.next_step();
  REQUIRE(planned);
  done = t.device.execute(*planned->work);
  done.seconds = 0.001;
  static_cast<void>(t.plan.complete(done));
  CHECK(t.plan.cost().steps() == before + 1);
}
