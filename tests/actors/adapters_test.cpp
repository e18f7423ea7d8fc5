#include "actors/adapters.hpp"

#include <caf/event_based_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <map>
#include <set>

#include "actors/adapter_gateway.hpp"
#include "actors/executor.hpp"
#include "actors/loader.hpp"
#include "actors/payloads.hpp"
#include "actors/telemetry.hpp"
#include "tests/actors/fake_executor.hpp"
#include "tests/actors/fake_world.hpp"
#include "tests/actors/virtual_system.hpp"
#include "tests/catch.hpp"

using namespace lorica;
using namespace lorica::test;
using namespace std::chrono_literals;

namespace {

/// What became of the wish for a lease.
struct wish {
  packed_ptr lease;
  std::optional<error> refused;
};

/// Why there is room for two adapters only.
enum class shortage : std::uint8_t {
  bytes,   ///< by their sizes
  places,  ///< the executor says that it takes no more at once
  pieces,  ///< the executor finds no room when it is asked
};

/// The adapters over fakes, with room for two of the three.
struct shelf {
  shortage of;
  int reads = 0;
  std::string swapped;  ///< this directory holds something else from now on
  std::optional<result<void>> decided;
  std::map<std::string, version_reference_ptr> meanings;

  fake_executor engine{executor_limits{}};
  metrics counters;
  virtual_system world;
  std::shared_ptr<session_roster> roster = std::make_shared<session_roster>();
  std::shared_ptr<status_board> board = std::make_shared<status_board>(counters, roster);
  telemetry_actor telemetry = spawn_telemetry(world.system(), counters);
  loader_actor loader = spawn_loader(world.system(),
                                     {engine.packer(),
                                      world.clock,
                                      [this](const adapter_origin& origin, const reading_options& how) {
                                        return read(origin.text, how.stop);
                                      },
                                      {}},
                                     placement::shared_threads);
  executor_actor executor =
      spawn_executor(world.system(), engine, loader, world.clock, placement::shared_threads);
  adapters_actor adapters = spawn_adapters(world.system(), parts());

  adapters_parts parts() {
    adapters_parts out{.clock = world.clock};
    out.startup = adapter_list{{"a", "a"}, {"b", "b"}, {"c", "c"}};
    out.budget_bytes = of == shortage::bytes ? 250 : 100'000;
    if (of == shortage::places) out.most_resident = 2;
    if (of == shortage::pieces) engine.room = 2;
    out.wall_clock = 1000;
    out.loaders = {loader};
    out.executor = executor;
    out.telemetry = telemetry;
    out.board = board;
    out.decided = [this](result<void> outcome) { decided = std::move(outcome); };
    return out;
  }

  explicit shelf(shortage what = shortage::bytes) : of(what) { world.run(); }
  ~shelf() {
    world.pass(1s);
    world.end({adapters, executor, loader, telemetry});
  }

  result<loaded_adapter> read(const std::string& directory, std::stop_token stop) {
    ++reads;
    return read_fake(directory == swapped ? "other" : directory, stop);
  }

  version_reference_ptr meaning(const std::string& name) {
    version_reference_ptr out;
    auto ask = [&](caf::event_based_actor* self, const std::string& name) {
      self->request(adapters, caf::infinite, atom::resolve::value, name)
          .then([&](const resolve_reply& reply) { out = (**reply).meaning; });
    };
    world.system().spawn(ask, name);
    world.run();
    return out;
  }

  std::shared_ptr<wish> acquire(const version_reference_ptr& what) {
    auto out = std::make_shared<wish>();
    auto ask = [&, out](caf::event_based_actor* self, const version_reference_ptr& what) {
      self->set_default_handler(caf::drop);  // it asks like a scheduler, and is none
      self->request(adapters, caf::infinite, atom::acquire::value, what)
          .then([out](const lease_reply& reply) {
            if (*reply) {
              out->lease = **reply;
            } else {
              out->refused = reply->error();
            }
          });
    };
    world.system().spawn(ask, what);
    return out;
  }

  adapter_status status_of(const std::string& name) {
    auto now = status();
    for (auto& adapter : now->adapters)
      if (adapter.name == name) return adapter;
    return {};
  }

  /// The one that had to leave.
  std::string absent() {
    auto now = status();  // the loop must not outlive the snapshot
    for (auto& adapter : now->adapters)
      if (adapter.tier == "disk") return adapter.name;
    return {};
  }

  std::shared_ptr<const status_snapshot> status() {
    world.pass(100ms);
    return board->snapshot();
  }
};

}  // namespace

TEST_CASE("more start-up adapters than the budget holds are all decided, and the first ones left") {
  shelf s(GENERATE(shortage::bytes, shortage::places, shortage::pieces));
  REQUIRE(s.decided.has_value());
  CHECK(s.decided->has_value());
  CHECK(s.reads == 3);
  auto all = s.status()->adapters;
  REQUIRE(all.size() == 3);
  int resident = 0;
  for (auto& adapter : all) {
    CHECK(adapter.state == "ready");
    CHECK(adapter.created == 1000);
    resident += adapter.tier == "device";
  }
  CHECK(resident == 2);
  CHECK(fake_executor::alive == 2);
}

TEST_CASE("many wishes for one version share one load, and its bytes go back with the last lease") {
  shelf s(GENERATE(shortage::bytes, shortage::places, shortage::pieces));
  auto name = s.absent();
  auto gone = s.meaning(name);
  std::vector<std::shared_ptr<wish>> wishes;
  for (int i = 0; i < 5; ++i)
    wishes.push_back(s.acquire(gone));
  s.world.run();
  for (auto& w : wishes) {
    REQUIRE(w->lease);
    CHECK(w->lease->version() == version_of(name));
  }
  CHECK(s.reads == 4);
  CHECK(s.status()->leases == 5);
  wishes.clear();
  CHECK(s.status()->leases == 0);
  CHECK(fake_executor::alive == 2);
}

TEST_CASE("a version that has no room waits until a lease ends") {
  shelf s(GENERATE(shortage::bytes, shortage::places, shortage::pieces));
  auto held_b = s.acquire(s.meaning("b"));
  auto held_c = s.acquire(s.meaning("c"));
  auto late = s.acquire(s.meaning("a"));
  s.world.run();
  REQUIRE(held_b->lease);
  REQUIRE(held_c->lease);
  CHECK_FALSE(late->lease);
  CHECK_FALSE(late->refused.has_value());
  held_b->lease.reset();
  s.world.run();
  CHECK(late->lease);
  CHECK(fake_executor::alive == 2);
}

TEST_CASE("a version that has no room because of pins alone is refused at once") {
  shelf s(GENERATE(shortage::bytes, shortage::places, shortage::pieces));
  adapter_gateway operators(s.adapters);
  auto pin = [&](const std::string& name) {
    operators.act(name, adapter_action::pin, [](const result<adapter_status>&) {});
    s.world.run();
  };
  auto first = s.meaning("a");
  pin("b");
  pin("c");
  auto late = s.acquire(first);
  s.world.run();
  REQUIRE(late->refused.has_value());
  CHECK(late->refused->reason == "memory_in_use");
}

TEST_CASE("when an adapter has waited too long the scheduler hears who may make room, until nobody waits") {
  struct seen {
    shelf s;
    std::vector<drain_order_ptr> orders;
    std::map<std::string, lease_reply> leases;
  } t;
  auto& [s, orders, leases] = t;
  auto scheduler = s.world.system().spawn(
      [](scheduler_actor::pointer self, seen* t) {
        return scheduler_actor::behavior_type{
            [](atom::submit, const submission_ptr&) {},
            // A command of this test: take a lease on the adapter of that letter.
            [self, t](atom::cancel, sequence_id letter) {
              std::string called(1, static_cast<char>(letter));
              self->request(t->s.adapters, caf::infinite, atom::acquire::value, t->s.meanings.at(called))
                  .then([t, called](const lease_reply& reply) { t->leases[called] = reply; });
            },
            [](atom::pause, sequence_id) {}, [](atom::resume, sequence_id) {},
            [t](atom::drain, const drain_order_ptr& order) { t->orders.push_back(order); }, [](atom::step) {},
            [](atom::rest, std::uint64_t) {}};
      },
      &t);
  auto take = [&](char letter) {
    s.meanings[std::string(1, letter)] = s.meaning(std::string(1, letter));
    caf::anon_send(scheduler, atom::cancel::value, static_cast<sequence_id>(letter));
    s.world.run();
  };
  take('b');
  take('c');
  REQUIRE(leases.size() == 2);
  take('a');
  CHECK(leases.size() == 2);
  s.world.pass(2999ms);
  CHECK(orders.empty());
  s.world.pass(1ms);
  REQUIRE(orders.size() == 1);
  auto b = s.meanings["b"]->version, c = s.meanings["c"]->version;
  CHECK(std::set(orders[0]->candidates.begin(), orders[0]->candidates.end()) == std::set{b, c});
  CHECK(orders[0]->how == drain_how::finish);
  for (int i = 0; i < 4; ++i)
    s.world.pass(3s);
  REQUIRE(orders.size() == 5);
  CHECK(orders[3]->how == drain_how::finish);
  CHECK(orders[4]->how == drain_how::preempt);
  leases["c"].reset();
  s.world.run();
  CHECK(leases["a"]);
  take('c');
  CHECK_FALSE(leases["c"]);
  leases["a"].reset();
  leases["b"].reset();
  s.world.run();
  CHECK(leases["c"]);
  s.world.pass(10s);
  REQUIRE(orders.size() == 6);
  CHECK(orders[5]->candidates.empty());
  leases.clear();
  s.world.end({scheduler});
}

TEST_CASE("files that changed under a version are refused instead of served") {
  shelf s;
  auto name = s.absent();
  s.swapped = name;
  auto gone = s.meaning(name);  // its request has it read ahead already
  CHECK(s.status_of(name).state == "failed");
  CHECK(s.status_of(name).failure == "source_changed");
  auto w = s.acquire(gone);
  s.world.run();
  REQUIRE(w->refused.has_value());
  CHECK(w->refused->code == errc::bad_adapter);
  CHECK(w->refused->reason == "source_changed");
  s.swapped.clear();
  auto again = s.acquire(gone);
  s.world.run();
  CHECK(again->lease);
}
