#include <caf/send.hpp>

#include "actors/request_series.hpp"
#include "actors/running_requests.hpp"
#include "actors/session.hpp"
#include "tests/actors/adapter_house.hpp"
#include "tests/actors/collecting_sink.hpp"
#include "tests/actors/fake_tokenizer.hpp"
#include "tests/actors/fake_world.hpp"

using namespace lorica;
using namespace lorica::test;

namespace {

generation_request ask(std::vector<named_adapter> adapters, combination combine = combination::sum) {
  generation_request out;
  out.prompts = {"x"};
  out.max_new_tokens = 20;
  out.adapters = std::move(adapters);
  out.combine = combine;
  return out;
}

/// Sessions over real adapters and a scheduler that writes down what it is given.
struct visit {
  explicit visit(fake_books& books) : h(books) {
    for (auto name : {"one", "two", "three"})
      REQUIRE(h.load(name, name));
  }
  ~visit() {
    roster->end_all(std::make_shared<const error>(fail(errc::incomplete, "the test is over")));
    submitted.clear();
    h.world.run();
    h.world.end({scheduler});
  }

  struct caller {
    session_actor session;
    std::shared_ptr<collecting_sink> sink;
  };

  std::uint64_t adapter_bytes = 1000;

  caller start(generation_request request, std::chrono::milliseconds max_duration = 0ms) {
    auto vocabulary = std::make_shared<fake_tokenizer>();
    auto worker = spawn_tokenizer(h.world.system(), vocabulary, nullptr, placement::shared_threads);
    auto world = std::make_shared<const session_world>(
        session_world{"base", 50, 100, max_duration, 60s, adapter_bytes, vocabulary, tokenizer_pool({worker}),
                      h.adapters, scheduler, h.telemetry, h.world.clock, gaps});
    auto place = roster->enter();
    auto id = place->id();
    caller out{{}, std::make_shared<collecting_sink>()};
    out.session =
        spawn_session(h.world.system(), world, {std::move(request), out.sink, next_id += 10, place});
    roster->attach(id, out.session);
    h.world.run();
    return out;
  }

  void act(const std::string& name, adapter_action what) {
    std::optional<result<adapter_status>> out;
    h.gate->act(name, what, [&](auto r) { out = std::move(r); });
    h.world.run();
    REQUIRE(out->has_value());
  }

  /// Requests that hold the names now, as the adapters count them.
  std::vector<std::uint64_t> users() {
    return {h.status("one").users, h.status("two").users, h.status("three").users};
  }

  void give(const caller& c, std::vector<token_event> events) {
    token_chunk chunk{std::move(events), h.world.clock.now(), h.world.clock.now()};
    caf::anon_send(c.session, atom::tokens::value,
                   token_chunk_ptr(std::make_shared<const token_chunk>(chunk)));
    h.world.run();
  }

  /// The end of a request that was not served, and that it holds nothing any more.
  void check_failed(const caller& c, errc code) {
    REQUIRE(c.sink->why().has_value());
    CHECK(c.sink->why()->code == code);
    CHECK(c.sink->misorders() == 0);
    CHECK(users() == std::vector<std::uint64_t>{0, 0, 0});
    CHECK(roster->size() == 0);
    CHECK(submitted.empty());
  }

  std::vector<submission_ptr> submitted;
  sequence_id next_id = 0;
  metrics counters;
  metrics::histogram& gaps = counters.make_histogram("gaps", "", {1});
  house h;
  std::shared_ptr<session_roster> roster = std::make_shared<session_roster>();
  scheduler_actor scheduler = h.world.system().spawn(
      [](scheduler_actor::pointer, visit* v) {
        return scheduler_actor::behavior_type{
            [v](atom::submit, const submission_ptr& request) { v->submitted.push_back(request); },
            [](atom::cancel, sequence_id) {},
            [](atom::pause, sequence_id) {},
            [](atom::resume, sequence_id) {},
            [](atom::drain, const drain_order_ptr&) {},
            [](atom::step) {},
            [](atom::rest, std::uint64_t) {}};
      },
      this);
};

}  // namespace

TEST_CASE("a request holds all its adapters, in order, until its end") {
  fake_books books;
  visit v(books);
  auto c = v.start(ask({{"two", 0.5f}, {"one", -1}, {"three", 0}}, combination::linear));
  REQUIRE(v.submitted.size() == 1);
  auto& all = *v.submitted[0];
  CHECK(all.combine == combination::linear);
  REQUIRE(all.adapters.size() == 3);
  CHECK(all.adapters[0].reference.meaning->version == version_of("two"));
  CHECK(all.adapters[0].weight == 0.5f);
  CHECK(all.adapters[1].weight == -1);
  CHECK(all.adapters[2].reference.name == "three");
  CHECK(v.users() == std::vector<std::uint64_t>{1, 1, 1});
  v.give(c, {{0, 'a', -1.f, std::nullopt}});
  auto served = c.sink->facts()->served.adapters;
  REQUIRE(served.size() == 3);
  CHECK((served[0].name == "two" && served[0].version == version_of("two") && served[0].tier == "device"));
  CHECK(served[2].name == "three");
  v.give(c, {{0, 'b', -1.f, finish_reason::length}});
  CHECK(c.sink->is_done());
  v.submitted.clear();
  CHECK(v.users() == std::vector<std::uint64_t>{0, 0, 0});
  auto text = v.h.counters.text();
  for (auto name : {"one", "two", "three"})
    CHECK(text.find("lorica_requests_total{adapter=\"" + std::string(name) + "\"} 1") != std::string::npos);
}

TEST_CASE("one name of several that is unknown or failed ends the request, and the others are given back") {
  fake_books books;
  visit v(books);
  CHECK_FALSE(v.h.load("broken", "bad"));
  v.check_failed(v.start(ask({{"one"}, {"nobody"}, {"two"}})), errc::unknown_adapter);
  v.check_failed(v.start(ask({{"nobody"}, {"one"}})), errc::unknown_adapter);
  v.check_failed(v.start(ask({{"one"}, {"two"}, {"broken"}})), errc::bad_adapter);
  // While another one is waited for.
  v.act("three", adapter_action::pause);
  v.check_failed(v.start(ask({{"three"}, {"one"}, {"nobody"}})), errc::unknown_adapter);
  v.act("three", adapter_action::resume);
  CHECK(v.users() == std::vector<std::uint64_t>{0, 0, 0});
}

TEST_CASE("all names wait together, and no longer than one may") {
  fake_books books;
  visit v(books);
  v.act("two", adapter_action::pause);
  v.act("three", adapter_action::pause);
  auto c = v.start(ask({{"one"}, {"two"}, {"three"}}));
  CHECK(v.users() == std::vector<std::uint64_t>{1, 0, 0});
  v.h.world.pass(50s);
  v.act("two", adapter_action::resume);
  CHECK(v.users() == std::vector<std::uint64_t>{1, 1, 0});
  CHECK_FALSE(c.sink->why().has_value());
  v.h.world.pass(10s);
  v.check_failed(c, errc::overloaded);
  CHECK(c.sink->why()->reason == "adapter_paused");
  v.act("three", adapter_action::resume);
  CHECK(v.users() == std::vector<std::uint64_t>{0, 0, 0});
}

TEST_CASE("who leaves, is killed or runs out of time while a name is waited for gives the others back") {
  fake_books books;
  visit v(books);
  v.act("three", adapter_action::pause);
  auto left = v.start(ask({{"one"}, {"three"}, {"two"}}));
  CHECK(v.users() == std::vector<std::uint64_t>{1, 1, 0});
  caf::anon_send(left.session, atom::cancel::value);
  v.h.world.run();
  v.check_failed(left, errc::cancelled);

  auto killed = v.start(ask({{"one"}, {"three"}, {"two"}}));
  caf::anon_send_exit(killed.session, caf::exit_reason::kill);
  v.h.world.run();
  v.check_failed(killed, errc::incomplete);

  auto late = v.start(ask({{"one"}, {"three"}, {"two"}}), 5000ms);
  v.h.world.pass(6s);
  v.check_failed(late, errc::timeout);

  // What comes for them now is given back at once.
  v.act("three", adapter_action::resume);
  CHECK(v.users() == std::vector<std::uint64_t>{0, 0, 0});
  CHECK(v.submitted.empty());
}

TEST_CASE("an unload that ends the requests of one name ends those that combine it, and frees the others") {
  fake_books books;
  visit v(books);
  auto c = v.start(ask({{"one"}, {"two"}}));
  auto other = v.start(ask({{"two"}}));
  v.submitted.clear();
  auto job = v.h.unload("one", unload_mode::abort);
  REQUIRE(job);
  CHECK(job->requests_ended == 1);
  REQUIRE(c.sink->why().has_value());
  CHECK(c.sink->why()->reason == "adapter_unloaded");
  CHECK_FALSE(other.sink->why().has_value());
  CHECK(v.h.status("two").users == 1);
}

TEST_CASE("a request keeps the versions of its start, whatever is loaded while it waits and runs") {
  fake_books books;
  visit v(books);
  v.act("three", adapter_action::pause);
  auto c = v.start(ask({{"one"}, {"three"}}));
  REQUIRE(v.h.load("one", "newer"));
  v.act("three", adapter_action::resume);
  REQUIRE(v.submitted.size() == 1);
  CHECK(v.submitted[0]->adapters[0].reference.meaning->version == version_of("one"));
  auto next = v.start(ask({{"one"}, {"three"}}));
  REQUIRE(v.submitted.size() == 2);
  CHECK(v.submitted[1]->adapters[0].reference.meaning->version == version_of("newer"));
  CHECK(v.submitted[1]->adapters[1].reference.meaning->version == version_of("three"));
}

TEST_CASE(
    "adapters of one rank each that cannot be merged are refused before anything is loaded or computed") {
  fake_books books;
  visit v(books);
  REQUIRE(v.h.load("wide", "wide:50"));
  REQUIRE(v.h.load("mixed", "mixed:50"));
  auto c = v.start(ask({{"one"}, {"mixed"}, {"wide"}}, combination::linear));
  v.check_failed(c, errc::invalid);
  CHECK(c.sink->why()->param == "merged_adapters");
  CHECK(c.sink->why()->text ==
        "`linear` needs equal ranks: `one` has rank 100, `wide` has rank 50; send `adapters` instead, which "
        "takes any ranks");
  CHECK(v.h.status("wide").users == 0);
  // Sums take any ranks; what has several is looked at module by module, when it is held.
  v.start(ask({{"one"}, {"wide"}}));
  v.start(ask({{"one"}, {"mixed"}}, combination::linear));
  CHECK(v.submitted.size() == 2);
}

TEST_CASE("an alias in a list means its target, also beside it") {
  fake_books books;
  visit v(books);
  v.h.gate->set_alias("also", "one", [](const auto& r) { CHECK(r.has_value()); });
  v.h.world.run();
  auto c = v.start(ask({{"also", 0.5f}, {"one", 0.25f}}));
  REQUIRE(v.submitted.size() == 1);
  CHECK(v.submitted[0]->adapters[0].reference.name == "also");
  CHECK(v.submitted[0]->adapters[0].reference.meaning == v.submitted[0]->adapters[1].reference.meaning);
  CHECK(v.h.status("one").users == 2);
  running_requests requests;
  requests.add(*v.submitted[0]);
  CHECK(requests.meaning(version_of("one")) != nullptr);
  CHECK(running_requests::make_sequence(*v.submitted[0], 0).composition ==
        std::vector<adapter_share>{{version_of("one"), 0.5f}, {version_of("one"), 0.25f}});
  requests.remove(v.submitted[0]->first);
  CHECK(requests.meaning(version_of("one")) == nullptr);
}

TEST_CASE("names that nobody loaded are found and loaded together") {
  fake_books books;
  visit v(books);
  v.h.below_roots = {"org/a", "org/b"};
  auto c = v.start(ask({{"org/a"}, {"org/b"}}));
  REQUIRE(v.submitted.size() == 1);
  CHECK(v.submitted[0]->adapters[0].reference.meaning->version == version_of("org/a"));
  CHECK(v.submitted[0]->adapters[1].reference.meaning->version == version_of("org/b"));
}

TEST_CASE("compositions share steps with others, each request gets its own tokens, and all comes to rest") {
  fake_world world(adapter_list{{"sql", "sql"}, {"chat", "chat"}, {"code", "code"}});
  REQUIRE(world.live->wait_until_ready().has_value());
  using list = std::vector<named_adapter>;
  const std::vector<std::pair<list, combination>> wishes = {
      {{}, combination::sum},
      {{{"sql"}}, combination::sum},
      {{{"sql", 0.5f}, {"chat", -1}}, combination::sum},
      {{{"sql", 0.5f}, {"chat", -1}}, combination::linear},
      {{{"chat", -1}, {"sql", 0.5f}}, combination::linear},
      {{{"code", 0}}, combination::sum},
      {{{"code", 2}, {"sql", 1}, {"chat", 0.25f}}, combination::sum}};
  world.engine->hold();
  std::vector<std::shared_ptr<collecting_sink>> sinks;
  for (auto& [adapters, combine] : wishes) {
    auto request = fake_world::ask("same prompt");
    request.adapters = adapters;
    request.combine = combine;
    sinks.push_back(world.start(std::move(request)).first);
  }
  REQUIRE(eventually([&] {
    auto s = world.status();
    return s->running_sequences + s->waiting_sequences == wishes.size();
  }));
  world.engine->release();
  for (std::size_t i = 0; i < wishes.size(); ++i) {
    INFO("request " << i);
    REQUIRE(sinks[i]->wait());
    auto& [adapters, combine] = wishes[i];
    auto version = adapters.empty() ? adapter_version{} : version_of(adapters, combine);
    CHECK(sinks[i]->at(0).text == expect(version, "same prompt", 20).text);
    CHECK(sinks[i]->facts()->served.adapters.size() == adapters.size());
    CHECK(sinks[i]->misorders() == 0);
  }
  CHECK(world.engine->broken == 0);
  CHECK(world.at_rest());
}

TEST_CASE("adapters that memory can never hold together are refused, those that it can are not") {
  fake_books books;
  visit v(books);
  REQUIRE(v.h.load("wide", "wide:50"));
  v.adapter_bytes = 149;
  auto c = v.start(ask({{"one"}, {"wide"}}));
  v.check_failed(c, errc::invalid);
  CHECK(
      c.sink->why()->text ==
      "the 2 adapters of the request need 150 bytes of memory together, and there are 149 for adapters; name "
      "fewer");
  CHECK(v.h.status("wide").users == 0);
  v.adapter_bytes = 150;
  v.start(ask({{"one"}, {"wide"}}));
  CHECK(v.submitted.size() == 1);
}

TEST_CASE("a merge of unequal ranks is refused without a step, and gives everything back") {
  fake_world world(adapter_list{{"sql", "sql"}, {"mixed", "mixed:50"}});
  REQUIRE(world.live->wait_until_ready().has_value());
  auto request = fake_world::ask("x");
  request.adapters = {{"sql"}, {"mixed"}};
  request.combine = combination::linear;
  auto sink = world.start(std::move(request)).first;
  REQUIRE(sink->wait());
  REQUIRE(sink->why().has_value());
  CHECK(sink->why()->code == errc::invalid);
  CHECK(sink->why()->text.find(
            "adapter 1 of `merged_adapters` has rank 100, adapter 2 has rank 50 (layer 0, q_proj)") !=
        std::string::npos);
  CHECK(world.engine->steps == 0);
  CHECK(world.at_rest());
}

TEST_CASE("a request counts for each adapter that it names, and once in all") {
  metrics counters;
  request_series series(counters);
  request_facts facts;
  facts.adapters = {"sql", "chat"};
  facts.prompt_tokens = 7;
  series.count(facts);
  facts.adapters = {};
  series.count(facts);
  auto text = counters.text();
  for (auto line : {"lorica_requests_total{adapter=\"sql\"} 1", "lorica_requests_total{adapter=\"chat\"} 1",
                    "lorica_requests_total{adapter=\"\"} 1", "lorica_prompt_tokens_total{adapter=\"chat\"} 7",
                    "tgi_request_count 2"}) {
    INFO(line);
    CHECK(text.find(line) != std::string::npos);
  }
}
