#include "actors/adapter_reads.hpp"

#include <caf/event_based_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <caf/typed_response_promise.hpp>
#include <deque>
#include <map>

#include "tests/actors/fake_adapters.hpp"
#include "tests/actors/virtual_system.hpp"
#include "tests/catch.hpp"

using namespace lorica;
using namespace lorica::test;

namespace {

/// Reads over loaders that answer when the test says so.
struct reading_room {
  std::map<std::string, core_share> shares;  ///< of the loads that began
  struct load {
    std::size_t loader;
    caf::typed_response_promise<load_reply> answer;
  };
  std::deque<load> begun;
  std::optional<adapter_reads> reads;
  virtual_system world;
  std::vector<loader_actor> loaders;
  adapters_actor host;

  explicit reading_room(std::size_t loader_count = 2) {
    for (std::size_t i = 0; i < loader_count; ++i)
      loaders.push_back(loader(i));
    auto live = [](adapters_actor::stateful_pointer<int> self, reading_room* room) {
      room->reads.emplace(self, room->loaders, hub_actor{});
      return fake_adapters(
          [room](atom::resolve, const std::string&) -> resolve_reply {
            room->reads->read(room->wanted_);
            return {};
          },
          [](atom::acquire, const version_reference_ptr&) -> lease_reply { return {}; });
    };
    host = world.system().spawn(live, this);
    world.run();
  }
  ~reading_room() {
    reads->stop();
    while (!begun.empty())
      answer();
    std::vector<virtual_system::any_actor> all{host};
    all.insert(all.end(), loaders.begin(), loaders.end());
    world.end(all);
    loaders.clear();
  }

  void read(const std::string& name, urgency how) {
    wanted_ = {};
    wanted_.job.name = name;
    wanted_.how = how;
    wanted_.done = [](const result<packed_load>&, const adapter_origin&) {};
    world.system().spawn(
        [](caf::event_based_actor* self, const adapters_actor& to) {
          self->request(to, caf::infinite, atom::resolve::value, std::string())
              .then([](const resolve_reply&) {});
        },
        host);
    world.run();
  }

  /// The load that began first is over.
  void answer() {
    caf::anon_send(loaders[begun.front().loader], atom::scan::value);
    world.run();
  }

 private:
  /// Asked for a scan it answers the load that began first, which is its own.
  loader_actor loader(std::size_t number) {
    return world.system().spawn(
        [number](loader_actor::stateful_pointer<int> self, reading_room* room) {
          auto load = [=](atom::load, const load_job_ptr& job) {
            room->shares[job->name] = job->share;
            room->begun.push_back({number, self->make_response_promise<load_reply>()});
            return room->begun.back().answer;
          };
          auto scan = [room](atom::scan) -> scan_reply {
            room->begun.front().answer.deliver(
                std::make_shared<const result<packed_load>>(fail(errc::io, "gone")));
            room->begun.pop_front();
            return {};
          };
          return loader_actor::behavior_type{
              std::move(load), std::move(scan),
              [](atom::destroy, const packed_ptr&) { return std::uint64_t{0}; }};
        },
        this);
  }

  adapter_read wanted_;
};

}  // namespace

TEST_CASE("a load that no request waits for takes what generation leaves") {
  reading_room r;
  r.read("operator", urgency::operation);
  CHECK(r.shares.at("operator") == core_share::leftover);
  r.read("ahead", urgency::foresight);
  CHECK(r.shares.count("ahead") == 0);  // the last loader is for requests
  r.read("request", urgency::request);
  CHECK(r.shares.at("request") == core_share::turns);
}
