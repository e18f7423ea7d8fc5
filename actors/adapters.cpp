#include "actors/adapters.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <caf/actor_system.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <optional>
#include <utility>

#include "actors/adapter_commands.hpp"
#include "actors/adapter_finding.hpp"
#include "actors/adapter_loading.hpp"
#include "actors/adapter_unloading.hpp"
#include "actors/adapter_waiters.hpp"
#include "actors/adapter_world.hpp"
#include "actors/harden.hpp"
#include "actors/startup_decisions.hpp"
#include "actors/starvation_guard.hpp"
#include "actors/take_reply.hpp"
#include "adapters/refusal.hpp"

namespace lorica {
namespace {

constexpr auto scan_limit = std::chrono::minutes(2);
constexpr std::int64_t failure_seconds = 5;  // until a name that was found but refused is read again

class adapters_state {
 public:
  static inline const char* name = "adapters";
  explicit adapters_state(adapters_actor::pointer self) : self_(self) {}
  ~adapters_state() {
    if (world_) world_->jobs.break_all();  // while all that their callbacks use is still here
  }
  adapters_actor::behavior_type start(adapters_parts parts);

 private:
  enum class found_after : std::uint8_t { once, wait };
  using reply = std::optional<result<adapter_reference>>;

  caf::result<resolve_reply> resolve(const std::string& asked);
  reply answer(const std::string& asked, const caf::actor_addr& session, found_after how = found_after::once);
  reply find(const std::string& asked);
  error gone(const std::string& asked) const;
  adapter_reference enter(const std::string& asked, const std::string& target,
                          const version_reference_ptr& meaning, const caf::actor_addr& session,
                          found_after how);
  void go_on(const std::string& target);
  void go_on(std::vector<adapter_waiters::waiter> waiters);
  void scan();
  caf::result<lease_reply> acquire(const version_reference_ptr& wanted);
  void release(const adapter_version& version);
  void leave(std::uint64_t stay);
  void expire(std::uint64_t timer);
  void restore(std::vector<catalogue_record> kept);
  void load_at_start(const startup_adapter& adapter);
  void read_ahead();

  adapters_actor::pointer self_;
  std::optional<adapters_parts> parts_;
  std::optional<adapter_world> world_;
  std::optional<adapter_loading> loading_;
  std::optional<adapter_unloading> unloading_;
  std::optional<adapter_commands> commands_;
  std::optional<adapter_finding> finding_;
  std::optional<starvation_guard> guard_;
  std::optional<startup_decisions> startup_;
  adapter_waiters waiters_;
};
static_assert(!std::is_aggregate_v<adapters_state>);

error does_not_exist(const std::string& asked) {
  return fail(errc::unknown_adapter, fmt::format("The model `{}` does not exist.", asked), {}, "model");
}

/// Why it failed is the operator's to see: texts may hold what he wrote as the source.
error could_not_be_loaded(const std::string& asked, const error& why) {
  auto code = code_of_refusal(why.reason);
  auto text = code == errc::unknown_adapter
                  ? does_not_exist(asked).text
                  : fmt::format("LoRA adapter '{}' was found but could not be loaded.", asked);
  return fail(code, std::move(text), why.reason, "model");
}

adapters_actor::behavior_type adapters_state::start(adapters_parts parts) {
  harden(self_);
  parts_.emplace(std::move(parts));
  auto settled = [this](const std::string& target) { go_on(target); };
  world_.emplace(self_, *parts_);
  loading_.emplace(*world_, settled);
  unloading_.emplace(*world_);
  commands_.emplace(*world_, *loading_, *unloading_,
                    parts_->dynamic.has_roots ? root_use::some : root_use::none, settled);
  finding_.emplace(parts_->dynamic);
  guard_.emplace(*world_, parts_->drain_after);
  restore(std::move(parts_->kept));
  world_->publish();
  startup_.emplace(parts_->startup.size(), parts_->skip_bad, parts_->decided);
  for (auto& adapter : parts_->startup)
    load_at_start(adapter);
  read_ahead();
  world_->changed();
  return {[this](atom::resolve, const std::string& asked) { return resolve(asked); },
          [this](atom::leave, std::uint64_t stay) { leave(stay); },
          [this](atom::command, const adapter_command_ptr& what) { commands_->carry_out(what->take()); },
          [this](atom::acquire, const version_reference_ptr& wanted) { return acquire(wanted); },
          [this](atom::release, const adapter_version& version) { release(version); },
          [this](atom::cancel) { world_->stop_loads(); },
          [this](atom::expire, std::uint64_t timer) { expire(timer); },
          [this](atom::publish) { world_->publish(); }};
}

caf::result<resolve_reply> adapters_state::resolve(const std::string& asked) {
  auto session = caf::actor_cast<caf::actor_addr>(self_->current_sender());
  if (auto now = answer(asked, session)) return adapter_waiters::make_reply(*std::move(now));
  auto entry = world_->names.find(asked);
  auto target = entry && !entry->alias_of.empty() ? entry->alias_of : asked;
  auto promise = self_->make_response_promise<resolve_reply>();
  waiters_.add(target, {world_->next_timer(parts_->wait), asked, promise, session});
  return promise;
}

/// What a request hears at once; nothing when it has to wait.
adapters_state::reply adapters_state::answer(const std::string& asked, const caf::actor_addr& session,
                                             found_after how) {
  auto entry = world_->names.find(asked);
  auto meaning = world_->names.resolve(asked);
  if (entry && entry->paused && meaning) return std::nullopt;
  auto target = entry && !entry->alias_of.empty() ? entry->alias_of : asked;
  if (meaning) return result(enter(asked, target, *meaning, session, how));
  if (meaning.error().code == errc::unavailable) return std::nullopt;  // being loaded
  bool unloaded = entry && entry->state == adapter_state::unloaded;
  if (unloaded) return result<adapter_reference>(gone(asked));
  if (!entry || entry->state != adapter_state::failed) return find(asked);
  auto refused = reply(could_not_be_loaded(asked, *entry->failure));
  bool again = entry->dynamic && world_->seconds() - entry->created >= failure_seconds;
  if (entry->lost || !entry->alias_of.empty() || (entry->dynamic && !again)) return refused;
  if (again) {
    world_->forget(asked);
    return find(asked);
  }
  // A first load that was refused takes nothing away from a name that can be found.
  auto place = find(asked);
  bool unknown = place && !*place && place->error().code == errc::unknown_adapter;
  return unknown ? refused : place;
}

/// Of a name that is unloaded. While requests still run with it that is no unknown name.
error adapters_state::gone(const std::string& asked) const {
  auto out = does_not_exist(asked);
  if (world_->users.count(asked) != 0) out.reason = "adapter_unloading";
  return out;
}

/// Nobody loaded the name: it may lie below a root, or on the Hub.
adapters_state::reply adapters_state::find(const std::string& asked) {
  auto place = finding_->find(asked, parts_->clock.now());
  switch (place.what) {
    case adapter_finding::verdict::unknown: return result<adapter_reference>(does_not_exist(asked));
    case adapter_finding::verdict::wait: return std::nullopt;
    case adapter_finding::verdict::scan: scan(); return std::nullopt;
    case adapter_finding::verdict::found: break;
  }
  adapter_loading::order order;
  order.what.name = asked;
  order.what.source = place.origin->text;
  order.origin = *std::move(place.origin);
  order.dynamic = true;
  auto job = loading_->begin(std::move(order), {});
  if (!job) return result<adapter_reference>(job.error());
  return std::nullopt;
}

adapter_reference adapters_state::enter(const std::string& asked, const std::string& target,
                                        const version_reference_ptr& meaning, const caf::actor_addr& session,
                                        found_after how) {
  auto& version = meaning->version;
  // Who waited for the load did not find the adapter in memory.
  bool resident = how == found_after::once && world_->shelf.books().resident(version);
  auto& counts = world_->counts[target];
  ++counts.requests;
  counts.hits += resident ? 1 : 0;
  counts.last_used = world_->seconds();
  auto tier = resident ? "device" : meaning->source.starts_with("hub:") ? "hub" : "disk";
  auto stay = world_->users.enter(target, version, session);
  world_->shelf.want(meaning);
  auto entry = world_->names.find(target);
  return {asked, meaning, tier, entry ? entry->defaults : nullptr, make_stay(stay, self_)};
}

/// Requests that wait for `target` get their answer, or wait on.
void adapters_state::go_on(const std::string& target) {
  go_on(waiters_.take(target));
}

void adapters_state::go_on(std::vector<adapter_waiters::waiter> waiters) {
  for (auto& w : waiters) {
    if (auto now = answer(w.asked, w.session, found_after::wait)) {
      w.answer.deliver(adapter_waiters::make_reply(*std::move(now)));
      continue;
    }
    auto entry = world_->names.find(w.asked);
    auto target = entry && !entry->alias_of.empty() ? entry->alias_of : w.asked;
    waiters_.add(target, std::move(w));
  }
}

void adapters_state::scan() {
  auto done = [this](std::shared_ptr<const root_index> index) {
    finding_->scanned(std::move(index), parts_->clock.now());
    go_on(waiters_.take_all());
  };
  take_reply(
      self_->request(parts_->loaders.front(), scan_limit, atom::scan::value),
      [done](const scan_reply& reply) {
        if (!*reply) log_warn("the adapter roots cannot be listed: {}", reply->error().text);
        done(*reply ? std::make_shared<const root_index>(**reply) : nullptr);
      },
      [done](const caf::error&) { done(nullptr); });
}

caf::result<lease_reply> adapters_state::acquire(const version_reference_ptr& wanted) {
  auto scheduler = caf::actor_cast<caf::actor_addr>(self_->current_sender());
  auto reply = world_->shelf.acquire(wanted);
  guard_->asked(scheduler);
  return reply;
}

/// A lease may come after its request and the last name of its version have gone.
void adapters_state::release(const adapter_version& version) {
  world_->shelf.release(version);
  world_->let_go(version);
}

void adapters_state::leave(std::uint64_t number) {
  auto stay = world_->users.leave(number);
  if (!stay) return;
  world_->shelf.unwant(stay->version);
  unloading_->left(number);
  world_->let_go(stay->version);
  world_->changed();
}

void adapters_state::expire(std::uint64_t timer) {
  if (unloading_->expire(timer) || guard_->expire(timer)) return;
  auto late = waiters_.expire(timer);
  if (!late) return;
  auto entry = world_->names.find(late->asked);
  auto why =
      entry && entry->paused
          ? fail(errc::overloaded, fmt::format("The adapter `{}` is paused; try again later", late->asked),
                 "adapter_paused", "model")
          : fail(errc::timeout, fmt::format("The adapter `{}` was not loaded in time", late->asked),
                 "load_timeout", "model");
  late->answer.deliver(adapter_waiters::make_reply(std::move(why)));
}

void adapters_state::restore(std::vector<catalogue_record> kept) {
  auto aliases = std::ranges::stable_partition(kept, [](auto& r) { return r.alias_of.empty(); });
  std::size_t ready = 0;
  for (auto& record : kept) {
    auto known = record.name;
    ready += record.state == adapter_state::ready && record.alias_of.empty() ? 1 : 0;
    if (auto ok = world_->names.restore(entry_of(std::move(record))); !ok)
      log_warn("adapter {} of the catalogue is left out: {}", known, ok.error().text);
  }
  if (!kept.empty())
    log_info("catalogue: {} adapters, {} aliases, {} entries in all", ready, aliases.size(), kept.size());
}

void adapters_state::load_at_start(const startup_adapter& adapter) {
  auto known = world_->names.find(adapter.name);
  if (known && known->state == adapter_state::unloaded)
    log_info("adapter {} was unloaded earlier; --lora-adapters loads it again", adapter.name);
  auto decide = [this, called = adapter.name](const result<void>& outcome) {
    world_->publish();
    startup_->decide(called, outcome);
  };
  if (adapter.missing) {
    auto ticket =
        world_->names.begin_load(adapter.name, adapter.source, when_loaded::replace, world_->seconds());
    if (ticket) world_->names.fail_load(*ticket, *adapter.missing);
    return decide(*adapter.missing);
  }
  adapter_loading::order order;
  order.what.name = adapter.name;
  order.what.source = adapter.source;
  order.origin = adapter.origin;
  auto done = [decide](const result<adapter_job>& job) {
    if (job) return decide({});
    decide(job.error());
  };
  auto job = loading_->begin(std::move(order), done);
  if (!job) decide(job.error());
}

/// What served in the last life of the process is brought back before anybody asks: pinned ones first, the
/// others into free room.
void adapters_state::read_ahead() {
  auto entries = world_->names.list();
  for (auto& entry : entries)
    if (entry.current && entry.pinned && entry.alias_of.empty())
      world_->shelf.pin(entry.current, [called = entry.name](const result<void>& outcome) {
        if (!outcome) log_warn("adapter {} is pinned, but: {}", called, outcome.error().text);
      });
  for (auto& entry : entries)
    if (entry.current && !entry.pinned && entry.alias_of.empty()) world_->shelf.prefetch(entry.current);
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
