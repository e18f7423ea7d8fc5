#include "actors/adapter_shelf.hpp"

#include <algorithm>
#include <caf/typed_event_based_actor.hpp>
#include <utility>

#include "actors/adapter_lease.hpp"
#include "actors/take_reply.hpp"
#include "adapters/refusal.hpp"

namespace lorica {
namespace {

constexpr auto attach_limit = std::chrono::minutes(10);
constexpr auto free_limit = std::chrono::minutes(10);
constexpr double typical_seconds = 0.05;

lease_reply make_lease_reply(result<packed_ptr> r) {
  return std::make_shared<const result<packed_ptr>>(std::move(r));
}

/// Removes what is kept for a version.
template <class T>
T take(std::map<adapter_version, T>& all, const adapter_version& version) {
  auto found = all.extract(version);
  return found.empty() ? T() : std::move(found.mapped());
}

/// What a request hears when its version cannot be brought back: the adapter is known, so never a 404.
error for_requests(error why) {
  if (why.code == errc::unknown_adapter || why.code == errc::io) why.code = errc::bad_adapter;
  return why;
}

}  // namespace

adapter_shelf::adapter_shelf(adapters_actor::pointer self, executor_actor executor,
                             std::vector<loader_actor> loaders, adapter_reads& reads,
                             residency_options options, std::chrono::milliseconds patience,
                             const clock_source& clock, listener tell)
    : self_(self),
      executor_(std::move(executor)),
      loaders_(std::move(loaders)),
      reads_(reads),
      patience_(patience),
      clock_(clock),
      began_(clock.now()),
      tell_(std::move(tell)),
      books_(options) {}

adapter_shelf::~adapter_shelf() {
  for (auto& [version, wishes] : waiting_)
    for (auto& p : wishes.promises)
      p.deliver(make_lease_reply(fail(errc::unavailable, "The server is shutting down")));
}

std::uint64_t adapter_shelf::now() const {
  return static_cast<std::uint64_t>((clock_.now() - began_) / std::chrono::milliseconds(1));
}

lease_reply adapter_shelf::lease(const adapter_version& version) {
  if (!books_.lease(version, now())) return nullptr;
  tell_.changed();
  return make_lease_reply(make_lease(packed_.at(version), self_));
}

caf::result<lease_reply> adapter_shelf::acquire(const version_reference_ptr& wanted) {
  if (auto held = lease(wanted->version)) return held;
  bool behind = starves();
  auto& all = waiting_[wanted->version];
  auto answer = all.promises.emplace_back(self_->make_response_promise<lease_reply>());
  if (all.promises.size() > 1) return answer;
  all.since = clock_.now();
  if (behind)
    parked_.push_back(wanted);
  else
    bring_back(wanted, urgency::request, room_from::anyone);
  return answer;
}

void adapter_shelf::release(const adapter_version& version) {
  if (books_.release(version, now())) take_off(version);
  tell_.changed();
  retry();
}

void adapter_shelf::want(const version_reference_ptr& wanted) {
  books_.want(wanted->version);
  if (!parked_.empty() || books_.resident(wanted->version) || books_.loading(wanted->version)) return;
  bring_back(wanted, urgency::request, room_from::unwanted);
}

void adapter_shelf::unwant(const adapter_version& version) {
  books_.unwant(version);
}

void adapter_shelf::prefetch(const version_reference_ptr& wanted) {
  auto leaving = books_.victims(wanted->bytes);
  if (!leaving || !leaving->empty()) return;
  bring_back(wanted, urgency::foresight, room_from::unwanted);
}

void adapter_shelf::pin(const version_reference_ptr& wanted, outcome done) {
  if (pinned_.insert(wanted->version).second) books_.pin(wanted->version);
  if (books_.resident(wanted->version)) return done({});
  putting_[wanted->version].push_back(std::move(done));
  bring_back(wanted, urgency::operation, room_from::anyone);
}

void adapter_shelf::unpin(const adapter_version& version) {
  if (pinned_.erase(version) > 0) books_.unpin(version);
}

/// Something left or came to rest: who had no room before may have it now. The oldest first.
void adapter_shelf::retry() {
  if (std::exchange(retrying_, true)) return;
  auto parked = std::exchange(parked_, {});
  for (auto& wanted : parked) {
    if (!waiting_.contains(wanted->version)) continue;
    if (starves())
      parked_.push_back(wanted);
    else
      bring_back(wanted, urgency::request, room_from::anyone);
  }
  retrying_ = false;
}

std::optional<std::chrono::nanoseconds> adapter_shelf::longest_wait() const {
  std::optional<std::chrono::nanoseconds> out;
  for (auto& wanted : parked_)
    if (auto all = waiting_.find(wanted->version); all != waiting_.end())
      out = std::max(out.value_or(std::chrono::nanoseconds(0)), clock_.now() - all->second.since);
  return out;
}

/// What only pins hold stays as long as an operator wants.
bool adapter_shelf::room_may_come() const {
  return books_.totals().loading_bytes > 0 || !leased().empty();
}

/// Room goes to the oldest wish and to nobody else.
bool adapter_shelf::starves() const {
  auto waited = longest_wait();
  return patience_.count() > 0 && waited && *waited >= patience_;
}

std::vector<adapter_version> adapter_shelf::leased() const {
  std::vector<adapter_version> out;
  for (auto& [version, packed] : packed_)
    if (books_.leases(version) > 0 && !pinned_.contains(version)) out.push_back(version);
  return out;
}

/// Reads a version again from where it was read first.
void adapter_shelf::bring_back(const version_reference_ptr& wanted, urgency how, room_from whose) {
  auto cost = costs_.contains(wanted->version) ? costs_[wanted->version] : typical_seconds;
  auto start = books_.begin_load(wanted->version, wanted->bytes, cost, now(), whose);
  if (!start && whose == room_from::unwanted) return;  // it was only foresight
  // Requests wait for room; an operator hears at once that there is none.
  bool waits = waiting_.contains(wanted->version);
  if (!start && start.error().reason == "memory_in_use" && waits && room_may_come())
    return parked_.push_back(wanted);
  if (!start) return gave_up(wanted->version, start.error());
  evict(start->evicted);
  if (start->what != load_start::kind::started) stays(wanted->version);
  if (start->what == load_start::kind::resident) return arrived(wanted->version);
  if (start->what == load_start::kind::joined) return;
  if (pinned_.contains(wanted->version)) books_.pin(wanted->version);
  auto origin = parse_origin(wanted->source);
  if (!origin) {
    books_.fail_load(wanted->version);
    return gave_up(wanted->version, fail(errc::internal, "An adapter's origin is not known"));
  }
  tell_.changed();
  adapter_read read;
  read.job = {wanted->version.short_hex(), *std::move(origin), true, {}, nullptr};
  read.job.measure = !tell_.knows(wanted->version);
  read.how = how;
  read.done = [this, wanted](result<packed_load> r, const adapter_origin&) {
    came_back(wanted, std::move(r));
  };
  reads_.read(std::move(read));
}

void adapter_shelf::came_back(const version_reference_ptr& wanted, result<packed_load> read) {
  tell_.read({read.has_value(), read ? read->duration : std::chrono::nanoseconds(0)});
  if (read && read->packed->version() == wanted->version) {
    costs_[wanted->version] = std::chrono::duration<double>(read->duration).count();
    if (!tell_.knows(wanted->version)) tell_.contains(wanted->version, read->contents);
    return attach(std::move(read->packed), wanted);
  }
  books_.fail_load(wanted->version);
  if (!read) return gave_up(wanted->version, for_requests(read.error()));
  free(std::move(read->packed));
  auto why = refused(refusal::source_changed,
                     "The adapter's files changed since they were loaded; load the adapter again");
  tell_.source_changed(wanted->version, why);
  gave_up(wanted->version, why);
}

void adapter_shelf::put(packed_ptr packed, std::chrono::nanoseconds cost, outcome done) {
  auto version = packed->version();
  auto seconds = std::chrono::duration<double>(cost).count();
  auto start = books_.begin_load(version, packed->bytes(), seconds, now());
  if (!start) {
    free(std::move(packed));
    return done(start.error());
  }
  costs_[version] = seconds;
  evict(start->evicted);
  if (start->what != load_start::kind::started) stays(version);
  if (start->what == load_start::kind::resident) {
    free(std::move(packed));
    return done({});
  }
  putting_[version].push_back(std::move(done));
  // The same content is on its way already: one copy serves both.
  if (start->what == load_start::kind::joined) return free(std::move(packed));
  if (pinned_.contains(version)) books_.pin(version);
  attach(std::move(packed), nullptr);
}

/// `wanted`: what it was read again for; null: it was read for a name.
void adapter_shelf::attach(packed_ptr packed, const version_reference_ptr& wanted) {
  take_reply(
      self_->request(executor_, attach_limit, atom::attach::value, packed),
      [this, packed, wanted](const outcome_ptr& outcome) mutable {
        if (*outcome) return shelve(std::move(packed));
        not_attached(std::move(packed), wanted, outcome->error());
      },
      [this, packed, wanted](const caf::error&) mutable {
        not_attached(std::move(packed), wanted,
                     fail(errc::generation_failed, "The executor does not answer"));
      });
}

/// Where the executor has less room than the books say, as its memory is in pieces, others leave one by one,
/// or what was wanted waits until one may.
void adapter_shelf::not_attached(packed_ptr packed, const version_reference_ptr& wanted, error why) {
  auto version = packed->version();
  const auto full = why.code == errc::out_of_memory;
  const auto foresight = !waiting_.contains(version) && !putting_.contains(version);
  const auto whose = foresight ? room_from::unwanted : room_from::anyone;
  if (auto first = full ? books_.evict_first(whose) : std::nullopt) {
    evict(std::vector{*first});
    return attach(std::move(packed), wanted);
  }
  books_.fail_load(version);
  free(std::move(packed));
  if (full && wanted && waiting_.contains(version) && room_may_come()) {
    parked_.push_back(wanted);
    return tell_.changed();
  }
  if (full) why.reason = "memory_in_use";
  gave_up(version, why);
}

void adapter_shelf::shelve(packed_ptr packed) {
  auto version = packed->version();
  auto room = books_.finish_load(version, packed->bytes(), now());
  packed_[version] = std::move(packed);
  if (!room) {
    take_off(version);
    return gave_up(version, room.error());
  }
  evict(*room);
  arrived(version);
}

/// Everybody who waits for a version that is in memory now is served.
void adapter_shelf::arrived(const adapter_version& version) {
  for (auto& done : take(putting_, version))
    done({});
  for (auto& p : take(waiting_, version).promises)
    p.deliver(lease(version));
  tell_.changed();
  retry();
}

/// Everybody who waits for the version hears why it does not come.
void adapter_shelf::gave_up(const adapter_version& version, const error& why) {
  for (auto& done : take(putting_, version))
    done(why);
  for (auto& p : take(waiting_, version).promises)
    p.deliver(make_lease_reply(why));
  tell_.changed();
  retry();
}

result<void> adapter_shelf::evict(const adapter_version& version) {
  bool was_there = books_.resident(version);
  if (!books_.evict(version))
    return fail(errc::out_of_memory, "The adapter is pinned, or a running request or load holds it",
                "memory_in_use");
  if (!was_there) return {};
  take_off(version);
  tell_.changed();
  retry();
  return {};
}

void adapter_shelf::drop(const adapter_version& version, std::function<void(std::uint64_t)> freed) {
  unpin(version);
  costs_.erase(version);
  switch (books_.drop(version)) {
    case drop_outcome::absent: return freed(0);
    case drop_outcome::deferred: freeing_[version].push_back(std::move(freed)); return;
    case drop_outcome::gone: break;
  }
  freeing_[version].push_back(std::move(freed));
  take_off(version);
  tell_.changed();
  retry();
}

/// A version that was to leave with its last lease is needed again: who waits for its bytes gets none.
void adapter_shelf::stays(const adapter_version& version) {
  for (auto& freed : take(freeing_, version))
    freed(0);
}

void adapter_shelf::evict(const std::vector<adapter_version>& versions) {
  for (auto& version : versions) {
    take_off(version);
    tell_.evicted(version);
  }
}

/// The version has left the books: the executor forgets it, then a loader frees its bytes.
void adapter_shelf::take_off(const adapter_version& version) {
  auto packed = packed_.extract(version);
  auto tell = [this, version](std::uint64_t bytes) {
    for (auto& freed : take(freeing_, version))
      freed(bytes);
  };
  if (packed.empty()) return tell(0);
  take_reply(
      self_->request(executor_, free_limit, atom::detach::value, std::move(packed.mapped())),
      [tell](std::uint64_t bytes) { tell(bytes); }, [tell](const caf::error&) { tell(0); });
}
void adapter_shelf::free(packed_ptr packed) {
  take_reply(
      self_->request(loaders_.front(), free_limit, atom::destroy::value, std::move(packed)),
      [](std::uint64_t) {}, [](const caf::error&) {});
}
}  // namespace lorica
