#include "actors/adapters.hpp"

#include <fmt/core.h>

#include <caf/actor_system.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <caf/typed_response_promise.hpp>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "actors/adapter_lease.hpp"
#include "actors/adapter_listing.hpp"
#include "actors/harden.hpp"
#include "actors/payloads.hpp"
#include "actors/startup_decisions.hpp"
#include "adapters/residency.hpp"

namespace lorica {
namespace {

constexpr auto load_limit = std::chrono::minutes(10);
constexpr auto attach_limit = std::chrono::minutes(10);
constexpr auto publish_delay = std::chrono::milliseconds(20);

/// A directory on its way into memory: for a name that has none yet, or again for a version that left.
struct pending_load {
  std::string name;
  std::string source;
  std::optional<load_ticket> ticket;  ///< of a name
  version_reference_ptr wanted;       ///< of a version; its bytes are reserved
};

/// Removes what is kept for a version.
template <class T>
std::vector<T> take(std::map<adapter_version, std::vector<T>>& all, const adapter_version& version) {
  auto found = all.extract(version);
  return found.empty() ? std::vector<T>() : std::move(found.mapped());
}

class adapters_state {
 public:
  static inline const char* name = "adapters";
  explicit adapters_state(adapters_actor::pointer self) : self_(self), shelf_({}) {}
  ~adapters_state();
  adapters_actor::behavior_type start(adapters_parts parts);

 private:
  using promise = caf::typed_response_promise<lease_reply>;
  struct arrival {
    pending_load load;
    packed_ptr packed;
    std::chrono::nanoseconds duration;
  };

  resolve_reply resolve(const std::string& name);
  caf::result<lease_reply> acquire(const version_reference_ptr& wanted);
  void release(const adapter_version& version);
  void retry();
  void queue_at_start(const startup_adapter& adapter);
  void read_next();
  void reload(const version_reference_ptr& wanted);
  void read(pending_load load);
  void arrive(pending_load load, packed_ptr packed, std::chrono::nanoseconds duration);
  void reserve(pending_load load, packed_ptr packed, std::chrono::nanoseconds duration);
  void attach(pending_load load, packed_ptr packed);
  void shelve(const pending_load& load, packed_ptr packed);
  void serve(const adapter_version& version);
  void name_version(const pending_load& load, const packed_adapter& packed);
  void fail_load(const pending_load& load, const error& why);
  void fail_version(const adapter_version& version, const error& why);
  void decide(const std::string& name, const result<void>& outcome);
  void evict(const adapter_version& version);
  void evict(const std::vector<adapter_version>& versions);
  void free(packed_ptr packed);
  lease_reply lease(const adapter_version& version);
  void changed();
  void publish();
  std::uint64_t now() const;

  adapters_actor::pointer self_;
  std::optional<adapters_parts> parts_;
  time_point began_;
  catalogue names_;
  residency shelf_;
  std::map<adapter_version, packed_ptr> packed_;
  std::map<adapter_version, std::vector<promise>> waiting_;       // for a version that is not resident
  std::map<adapter_version, std::vector<pending_load>> sharing_;  // names whose content is being attached
  std::vector<version_reference_ptr> parked_;                     // until a lease ends and makes room
  std::map<std::string, std::uint64_t> requests_;
  std::deque<pending_load> queue_;   // names to read, one at a time
  std::optional<arrival> squeezed_;  // a name whose bytes have no room yet
  std::optional<load_facts> last_load_;
  std::optional<startup_decisions> startup_;
  bool publishing_ = false;
  bool retrying_ = false;
};
static_assert(!std::is_aggregate_v<adapters_state>);

lease_reply make_lease_reply(result<packed_ptr> r) {
  return std::make_shared<const result<packed_ptr>>(std::move(r));
}

adapters_state::~adapters_state() {
  for (auto& [version, promises] : waiting_)
    for (auto& p : promises)
      p.deliver(make_lease_reply(fail(errc::unavailable, "The server is shutting down")));
}

adapters_actor::behavior_type adapters_state::start(adapters_parts parts) {
  harden(self_);
  parts_.emplace(std::move(parts));
  began_ = parts_->clock.now();
  shelf_ = residency({.budget_bytes = parts_->budget_bytes});
  startup_.emplace(parts_->startup.size(), parts_->skip_bad, parts_->decided);
  for (auto& adapter : parts_->startup)
    queue_at_start(adapter);
  read_next();
  return {[this](atom::resolve, const std::string& name) { return resolve(name); },
          [this](atom::acquire, const version_reference_ptr& wanted) { return acquire(wanted); },
          [this](atom::release, const adapter_version& version) { release(version); },
          [this](atom::publish) { publish(); }};
}

std::uint64_t adapters_state::now() const {
  return static_cast<std::uint64_t>((parts_->clock.now() - began_) / std::chrono::milliseconds(1));
}

resolve_reply adapters_state::resolve(const std::string& name) {
  auto answer = [](result<adapter_reference> r) {
    return std::make_shared<const result<adapter_reference>>(std::move(r));
  };
  auto found = names_.resolve(name);
  if (!found && found.error().code == errc::unknown_adapter)
    return answer(
        fail(errc::unknown_adapter, fmt::format("The model `{}` does not exist.", name), {}, "model"));
  if (!found) return answer(found.error());
  ++requests_[name];
  auto tier = shelf_.resident((*found)->version) ? "device" : "disk";
  return answer(adapter_reference{name, *found, tier});
}

lease_reply adapters_state::lease(const adapter_version& version) {
  if (!shelf_.lease(version, now())) return nullptr;
  changed();
  return make_lease_reply(make_lease(packed_.at(version), self_));
}

caf::result<lease_reply> adapters_state::acquire(const version_reference_ptr& wanted) {
  if (auto held = lease(wanted->version)) return held;
  auto& promises = waiting_[wanted->version];
  auto answer = promises.emplace_back(self_->make_response_promise<lease_reply>());
  if (promises.size() == 1) reload(wanted);
  return answer;
}

void adapters_state::release(const adapter_version& version) {
  if (shelf_.release(version, now())) evict(version);
  changed();
  retry();
}

/// Something left or came to rest: who had no room before may have it now.
void adapters_state::retry() {
  if (std::exchange(retrying_, true)) return;
  for (auto& wanted : std::exchange(parked_, {}))
    reload(wanted);
  if (squeezed_) {
    auto again = std::move(*std::exchange(squeezed_, std::nullopt));
    reserve(std::move(again.load), std::move(again.packed), again.duration);
  }
  retrying_ = false;
}

void adapters_state::queue_at_start(const startup_adapter& adapter) {
  auto created = parts_->wall_clock + static_cast<std::int64_t>(now() / 1000);
  auto ticket = names_.begin_load(adapter.name, adapter.path, when_loaded::refuse, created);
  if (!ticket) return decide(adapter.name, std::move(ticket).error());
  if (adapter.missing) {
    names_.fail_load(*ticket, *adapter.missing);
    return decide(adapter.name, *adapter.missing);
  }
  queue_.push_back({adapter.name, adapter.path, *ticket, nullptr});
}

/// One name after the other, so that at most one adapter is in memory without being counted.
void adapters_state::read_next() {
  if (queue_.empty()) return;
  auto load = std::move(queue_.front());
  queue_.pop_front();
  read(std::move(load));
}

/// Brings a version back that a name meant when a request asked for it.
void adapters_state::reload(const version_reference_ptr& wanted) {
  constexpr double typical_seconds = 1;  // a version that left keeps no history of its own
  auto start = shelf_.begin_load(wanted->version, wanted->bytes, typical_seconds, now());
  if (!start && start.error().reason == "memory_in_use") return parked_.push_back(wanted);
  if (!start) return fail_version(wanted->version, start.error());
  evict(start->evicted);
  if (start->what == load_start::kind::resident) return serve(wanted->version);
  if (start->what == load_start::kind::started)
    read({wanted->version.short_hex(), wanted->source, std::nullopt, wanted});
}

void adapters_state::read(pending_load load) {
  load_job job{load.name, load.source, parts_->stop};
  changed();
  self_
      ->request(parts_->loader, load_limit, atom::load::value,
                load_job_ptr(std::make_shared<const load_job>(std::move(job))))
      .then(
          [this, load](const load_reply& reply) {
            if (!*reply) return fail_load(load, reply->error());
            arrive(load, std::move((*reply)->packed), (*reply)->duration);
          },
          [this, load](const caf::error&) {
            fail_load(load, fail(errc::timeout, "Loading took too long and was given up"));
          });
}

void adapters_state::arrive(pending_load load, packed_ptr packed, std::chrono::nanoseconds duration) {
  last_load_ = load_facts{true, duration};
  if (!load.wanted) return reserve(std::move(load), std::move(packed), duration);
  if (packed->version() == load.wanted->version) return attach(std::move(load), std::move(packed));
  free(std::move(packed));
  fail_load(load, fail(errc::bad_adapter, "The adapter's files changed since it was loaded; load it again",
                       "content_changed"));
}

void adapters_state::reserve(pending_load load, packed_ptr packed, std::chrono::nanoseconds duration) {
  auto version = packed->version();
  auto seconds = std::chrono::duration<double>(duration).count();
  auto start = shelf_.begin_load(version, packed->bytes(), seconds, now());
  if (!start && start.error().reason == "memory_in_use") {
    squeezed_ = arrival{std::move(load), std::move(packed), duration};
    return;
  }
  if (!start) {
    free(std::move(packed));
    return fail_load(load, start.error());
  }
  evict(start->evicted);
  if (start->what == load_start::kind::started) return attach(std::move(load), std::move(packed));
  // The same content under another name: one copy serves both.
  if (start->what == load_start::kind::resident) {
    name_version(load, *packed);
  } else {
    sharing_[version].push_back(std::move(load));
  }
  free(std::move(packed));
}

void adapters_state::attach(pending_load load, packed_ptr packed) {
  auto give_up = [this, load](packed_ptr& taken, const error& why) {
    auto version = taken->version();
    shelf_.fail_load(version);
    free(std::move(taken));
    fail_load(load, why);
    fail_version(version, why);
  };
  self_->request(parts_->executor, attach_limit, atom::attach::value, packed)
      .then(
          [this, load, give_up, packed](const outcome_ptr& outcome) mutable {
            if (*outcome) return shelve(load, std::move(packed));
            give_up(packed, outcome->error());
          },
          [give_up, packed](const caf::error&) mutable {
            give_up(packed, fail(errc::generation_failed, "The executor does not answer"));
          });
}

void adapters_state::shelve(const pending_load& load, packed_ptr packed) {
  auto version = packed->version();
  auto room = shelf_.finish_load(version, packed->bytes(), now());
  auto& kept = *(packed_[version] = std::move(packed));
  if (!room) {
    evict(version);
    fail_load(load, room.error());
    return fail_version(version, room.error());
  }
  evict(*room);
  if (load.ticket) name_version(load, kept);
  for (auto& other : take(sharing_, version))
    name_version(other, kept);
  serve(version);
}

/// Everybody who waits for a version that is resident now gets a lease.
void adapters_state::serve(const adapter_version& version) {
  for (auto& p : take(waiting_, version))
    p.deliver(lease(version));
  changed();
  retry();
}

void adapters_state::name_version(const pending_load& load, const packed_adapter& packed) {
  names_.finish_load(*load.ticket, {packed.version(), load.source, packed.ranks(), packed.bytes()});
  log_info("adapter {} is ready: version {}, {} bytes", load.name, packed.version().short_hex(),
           packed.bytes());
  decide(load.name, {});
  read_next();
}

void adapters_state::fail_load(const pending_load& load, const error& why) {
  if (!last_load_) last_load_ = load_facts{};
  last_load_->ready = false;
  if (load.wanted) {
    shelf_.fail_load(load.wanted->version);
    return fail_version(load.wanted->version, why);
  }
  names_.fail_load(*load.ticket, why);
  decide(load.name, why);
  read_next();
}

/// Everybody who waits for the version hears why it does not come.
void adapters_state::fail_version(const adapter_version& version, const error& why) {
  for (auto& other : take(sharing_, version))
    fail_load(other, why);
  for (auto& p : take(waiting_, version))
    p.deliver(make_lease_reply(why));
  changed();
  retry();
}

void adapters_state::decide(const std::string& name, const result<void>& outcome) {
  publish();
  startup_->decide(name, outcome);
}

void adapters_state::evict(const std::vector<adapter_version>& versions) {
  for (auto& version : versions)
    evict(version);
}

void adapters_state::evict(const adapter_version& version) {
  auto packed = packed_.extract(version);
  if (!packed.empty()) self_->send(parts_->executor, atom::detach::value, std::move(packed.mapped()));
}

void adapters_state::free(packed_ptr packed) {
  self_->send(parts_->loader, atom::destroy::value, std::move(packed));
}

/// Lists cost something with many adapters, so changes are gathered for a moment.
void adapters_state::changed() {
  if (std::exchange(publishing_, true)) return;
  self_->delayed_send(self_, publish_delay, atom::publish::value);
}

void adapters_state::publish() {
  publishing_ = false;
  auto facts = std::make_shared<adapters_facts>();
  facts->adapters = list_adapters(names_, shelf_, requests_);
  facts->leases = shelf_.totals().leases;
  facts->load = std::exchange(last_load_, std::nullopt);
  parts_->board->update(facts);
  self_->send(parts_->telemetry, atom::publish::value, adapters_facts_ptr(facts));
}

adapters_actor::behavior_type adapters(adapters_actor::stateful_pointer<adapters_state> self,
                                       adapters_parts parts) {
  return self->state.start(std::move(parts));
}

}  // namespace

adapters_actor spawn_adapters(caf::actor_system& system, adapters_parts parts) {
  return system.spawn(adapters, std::move(parts));
}

}  // namespace lorica
