#pragma once

#include <caf/event_based_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <map>
#include <set>

#include "actors/adapter_gateway.hpp"
#include "actors/adapters.hpp"
#include "actors/executor.hpp"
#include "actors/loader.hpp"
#include "actors/payloads.hpp"
#include "actors/telemetry.hpp"
#include "tests/actors/fake_executor.hpp"
#include "tests/actors/virtual_system.hpp"
#include "tests/catch.hpp"

namespace lorica::test {

using namespace std::chrono_literals;

/// What a catalogue on disk holds, across the lives of a server.
struct fake_books {
  std::map<std::string, catalogue_record> rows;
  bool broken = false;
};

/// One request: what it heard, and that it is still there.
struct visitor {
  std::optional<result<adapter_reference>> heard;
  std::optional<error> ended;
  bool gone = false;  ///< its client has left: what it would hear is dropped
};

/// The adapters over fakes and a store that remembers; sources are names of fake directories.
struct house {
  explicit house(fake_books& b, std::uint64_t budget = 1000) : books(b) {
    adapters_parts p{.clock = world.clock};
    for (auto& [name, row] : books.rows)
      p.kept.push_back(row);
    p.budget_bytes = budget;
    p.dynamic = {dynamic_mode::root, true, {}};
    p.wall_clock = 1000;
    p.loaders = {loader};
    p.executor = executor;
    p.store = store;
    p.telemetry = telemetry;
    p.board = board;
    p.decided = [](const result<void>&) {};
    adapters = spawn_adapters(world.system(), std::move(p));
    gate.emplace(adapters);
    world.run();
  }
  ~house() {
    visitors.clear();
    gate.reset();
    world.pass(120s);
    world.end({adapters, executor, loader, store, telemetry});
  }

  /// Names a directory, which `moved` may make hold something else.
  result<loaded_adapter> read(const adapter_origin& origin, std::stop_token stop) {
    ++reads;
    auto directory = origin.where == adapter_origin::kind::found ? origin.text.substr(2) : origin.text;
    auto other = moved.find(directory);
    return read_fake(other == moved.end() ? directory : other->second, stop);
  }

  result<adapter_job> load(const std::string& name, const std::string& source,
                           std::function<void(adapter_load&)> change = {}) {
    adapter_load what;
    what.name = name;
    what.source = source;
    if (change) change(what);
    std::optional<result<adapter_job>> out;
    gate->load(what, answer_when::ended, [&](result<adapter_job> job) { out = std::move(job); });
    world.run();
    REQUIRE(out.has_value());
    return *out;
  }

  result<adapter_job> unload(const std::string& name, unload_mode mode = unload_mode::drain,
                             answer_when when = answer_when::ended) {
    auto kept = std::make_shared<std::optional<result<adapter_job>>>();
    gate->unload({name, mode, 5}, when, [kept](result<adapter_job> job) { *kept = std::move(job); });
    world.run();
    last_unload = kept;
    return kept->value_or(fail(errc::unavailable, "still running"));
  }

  /// A request names an adapter; it holds what it got until it is let go.
  std::shared_ptr<visitor> ask(const std::string& name) {
    auto out = visit(name);
    world.run();
    return out;
  }

  /// The same, before anybody has heard of it.
  std::shared_ptr<visitor> visit(const std::string& name) {
    auto out = std::make_shared<visitor>();
    auto session = world.system().spawn(
        [](session_actor::stateful_pointer<int> self, adapters_actor to, std::string asked,
           std::shared_ptr<visitor> v) {
          self->request(to, caf::infinite, atom::resolve::value, asked).then([v](const resolve_reply& reply) {
            if (!v->gone) v->heard = *reply;
          });
          return session_actor::behavior_type{[](atom::tokens, const token_chunk_ptr&) {},
                                              [v](atom::failed, const error_ptr& why) {
                                                v->ended = *why;
                                                v->heard.reset();
                                              },
                                              [](atom::cancel) {}, [](atom::resume) {}, [](atom::expire) {}};
        },
        adapters, name, out);
    sessions.push_back(session);
    visitors.push_back(out);
    return out;
  }

  adapter_status status(const std::string& name) {
    world.pass(100ms);
    auto now = board->snapshot();
    for (auto& a : now->adapters)
      if (a.name == name) return a;
    return {};
  }

  std::uint64_t resident() {
    std::uint64_t out = 0;
    world.pass(100ms);
    auto now = board->snapshot();
    for (auto& a : now->adapters)
      out += a.bytes > 0 ? 1 : 0;
    return out;
  }

  fake_books& books;
  int reads = 0;
  std::vector<bool> measured;  // of those reads
  std::map<std::string, std::string> moved;
  std::set<std::string> below_roots;
  std::shared_ptr<std::optional<result<adapter_job>>> last_unload;

  fake_executor engine{executor_limits{}};
  metrics counters;
  virtual_system world;
  std::shared_ptr<session_roster> roster = std::make_shared<session_roster>();
  std::shared_ptr<status_board> board = std::make_shared<status_board>(counters, roster);
  telemetry_actor telemetry = spawn_telemetry(world.system(), counters);
  loader_actor loader = spawn_loader(world.system(),
                                     {engine.packer(), world.clock,
                                      [this](const adapter_origin& origin, const reading_options& how) {
                                        measured.push_back(how.measure);
                                        return read(origin, how.stop);
                                      },
                                      [this]() -> result<root_index> {
                                        std::map<std::string, std::size_t, std::less<>> names;
                                        for (auto& name : below_roots)
                                          names.emplace(name, 0);
                                        return root_index(std::move(names));
                                      }},
                                     placement::shared_threads);
  executor_actor executor =
      spawn_executor(world.system(), engine, loader, world.clock, placement::shared_threads);
  store_actor store = world.system().spawn(
      [](store_actor::stateful_pointer<int>, house* h) {
        return store_actor::behavior_type{[h](atom::store, const catalogue_changes_ptr& all) -> outcome_ptr {
          if (h->books.broken)
            return std::make_shared<const result<void>>(fail(errc::io, "full", "storage_unavailable"));
          for (auto& c : all->changes) {
            h->books.rows.erase(c.name);
            if (c.record) h->books.rows.emplace(c.name, *c.record);
          }
          return std::make_shared<const result<void>>();
        }};
      },
      this);
  adapters_actor adapters;
  std::optional<adapter_gateway> gate;
  std::vector<session_actor> sessions;
  std::vector<std::shared_ptr<visitor>> visitors;
};

}  // namespace lorica::test
