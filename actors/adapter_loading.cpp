#include "actors/adapter_loading.hpp"

#include <fmt/core.h>

#include <utility>

#include "core/log.hpp"
#include "core/shown.hpp"

namespace lorica {
namespace {

constexpr std::size_t longest_queue = 16;  // of different sources for one name

bool same_wish(const adapter_loading::order& a, const adapter_loading::order& b) {
  return a.origin == b.origin && a.else_from == b.else_from && a.what.pin == b.what.pin &&
         a.what.defaults == b.what.defaults && a.what.expected_version == b.what.expected_version;
}

}  // namespace

/// What the caller believes of the name must be so.
result<void> adapter_loading::check(const adapter_load& what) const {
  if (!what.expected_version) return {};
  auto& wanted = *what.expected_version;
  auto entry = world_.names.find(what.name);
  auto now = entry && entry->current ? entry->current->version.hex() : std::string();
  bool is = wanted.empty() ? now.empty() : wanted.size() >= 12 && now.starts_with(wanted);
  if (is) return {};
  return fail(errc::conflict,
              fmt::format("expected_version is \"{}\", but the adapter {}", shown(wanted),
                          now.empty() ? "has no version" : "has version " + now),
              "version_mismatch", "expected_version");
}

result<adapter_job> adapter_loading::begin(order what, adapter_jobs::answer done) {
  if (auto ok = check(what.what); !ok) return ok.error();
  auto name = what.what.name;
  auto now = running_.find(name);
  if (auto latest = latest_of(name); latest && !latest->stopped && same_wish(latest->what, what)) {
    auto& job = job_of(*latest);
    latest->what.dynamic &= what.dynamic;
    latest->ticket.dynamic &= what.dynamic;
    if (done) job.waiting.push_back(std::move(done));
    return adapter_jobs::shown(job);
  }
  auto w = std::make_shared<work>();
  w->what = std::move(what);
  if (now != running_.end()) {
    auto& queue = behind_[name];
    if (queue.size() >= longest_queue)
      return fail(errc::overloaded, fmt::format("Too many loads of adapter '{}' wait", name));
    queue.push_back(w);
  } else if (auto ok = start(w); !ok) {
    return ok.error();
  }
  auto& job = world_.jobs.begin(job_kind::load, name, w->what.what.source, world_.seconds());
  w->job = job.facts.id;
  if (done) job.waiting.push_back(std::move(done));
  auto out = adapter_jobs::shown(job);
  if (w->ticket.number != 0) read(w);
  return out;
}

/// What the name will mean when everything that is under way has ended; null when nothing is.
adapter_loading::work_ptr adapter_loading::latest_of(const std::string& name) const {
  if (auto queue = behind_.find(name); queue != behind_.end()) return queue->second.back();
  auto now = running_.find(name);
  return now == running_.end() ? nullptr : now->second;
}

/// The name is being loaded from now on.
result<void> adapter_loading::start(const work_ptr& w) {
  auto& what = w->what.what;
  auto policy = what.policy == load_policy::refuse ? when_loaded::refuse : when_loaded::replace;
  auto ticket = w->what.dynamic ? world_.names.begin_dynamic_load(what.name, what.source, world_.seconds())
                                : world_.names.begin_load(what.name, what.source, policy, world_.seconds());
  if (!ticket) return ticket.error();
  world_.forget_dropped();
  w->ticket = *std::move(ticket);
  running_[what.name] = w;
  return {};
}

void adapter_loading::read(const work_ptr& w) {
  auto& job = job_of(*w);
  auto& name = w->what.what.name;
  world_.emit("loading", name);
  world_.changed();
  ++world_.counts[name].loads;
  adapter_read read;
  read.job = {name, w->what.origin, true, job.stop.get_token(), job.progress};
  if (w->what.what.defaults) read.job.chat_template = w->what.what.defaults->chat_template;
  read.else_from = w->what.else_from;
  read.newest = true;
  read.how = w->what.dynamic ? urgency::request : urgency::operation;
  read.done = [this, w](result<packed_load> r, const adapter_origin& origin) {
    arrived(w, std::move(r), origin);
  };
  world_.reads.read(std::move(read));
}

void adapter_loading::arrived(const work_ptr& w, result<packed_load> read, const adapter_origin& origin) {
  world_.note_read({read.has_value(), read ? read->duration : std::chrono::nanoseconds(0)});
  if (!read) return give_up(w, std::move(read).error());
  if (job_of(*w).stop.stop_requested())
    return give_up(w, fail(errc::cancelled, "The load was cancelled", "cancelled"));
  if (auto ok = check(w->what.what); !ok) return give_up(w, ok.error());
  auto& packed = *read->packed;
  version_reference reference{packed.version(), origin.written(), packed.ranks(), packed.bytes()};
  job_of(*w).committed = true;
  job_of(*w).progress->enter(load_progress::stage::storing);
  put(w, std::move(reference), *std::move(read));
}

/// Into memory, so that the first request is as fast as the next. Without room the adapter is registered and
/// comes back when it is asked for; only a pinned one must have its place.
void adapter_loading::put(const work_ptr& w, version_reference reference, packed_load read) {
  auto version = reference.version;
  world_.contents[version] = read.contents;
  world_.hold(version);
  auto put = [this, w, reference = std::move(reference)](const result<void>& outcome) {
    auto pinned = w->what.what.pin.value_or(false);
    bool enough = outcome || (outcome.error().reason == "memory_in_use" && !pinned);
    if (enough) return store(w, reference);
    world_.unhold(reference.version);
    world_.let_go(reference.version);
    give_up(w, outcome.error());
  };
  world_.shelf.put(std::move(read.packed), read.duration, std::move(put));
}

void adapter_loading::store(const work_ptr& w, version_reference reference) {
  // Unloaded since: that is written down already, and must stay the last word.
  if (w->stopped || w->what.dynamic) return commit(w, std::move(reference));
  auto entry = world_.names.find(w->what.what.name);
  catalogue_record record = record_of(*entry);
  record.state = adapter_state::ready;
  record.current = reference;
  record.source = w->what.what.source;
  record.pinned = w->what.what.pin.value_or(entry->pinned);
  if (w->what.what.defaults) record.defaults = written(*w->what.what.defaults);
  record.failure_reason.clear();
  record.failure_text.clear();
  world_.keep({record.name, record}, [this, w, reference](const result<void>& outcome) {
    if (outcome) return commit(w, reference);
    world_.unhold(reference.version);
    world_.let_go(reference.version);
    give_up(w, outcome.error());
  });
}

void adapter_loading::commit(const work_ptr& w, version_reference reference) {
  auto& what = w->what.what;
  auto version = reference.version;
  auto bytes = reference.bytes;
  auto before = world_.names.find(what.name);
  auto old = before ? before->current : nullptr;
  bool named = world_.names.finish_load(w->ticket, std::move(reference));
  world_.unhold(version);
  if (!named) {
    world_.let_go(version);
    return give_up(w,
                   fail(errc::cancelled, "The adapter was unloaded while it was being loaded", "cancelled"));
  }
  if (what.pin) static_cast<void>(world_.names.set_pinned(what.name, *what.pin));
  if (what.defaults)
    static_cast<void>(
        world_.names.set_defaults(what.name, std::make_shared<const generation_defaults>(*what.defaults)));
  if (world_.names.pins(version) > 0) {
    auto entry = world_.names.find(what.name);
    world_.shelf.pin(entry->current, [](const result<void>&) {});
  } else {
    world_.shelf.unpin(version);
  }
  auto& job = job_of(*w);
  job.facts.version = version;
  job.facts.changed = !old || old->version != version;
  log_info("adapter {} is ready: version {}, {} bytes", what.name, version.short_hex(), bytes);
  world_.emit("ready", what.name, version);
  if (old && old->version != version) {
    if (world_.names.pins(old->version) == 0) world_.shelf.unpin(old->version);
    world_.let_go(old->version);
  }
  finish(w);
  world_.jobs.end(job, job_state::done, world_.seconds());
  next(what.name);
}

/// The name is free for what waited for the load.
void adapter_loading::finish(const work_ptr& w) {
  running_.erase(w->what.what.name);
  for (auto& then : std::exchange(w->after, {}))
    then();
  settled_(w->what.what.name);
  world_.publish();
}

bool adapter_loading::defer(const std::string& name, std::function<void()> then) {
  auto now = running_.find(name);
  if (now == running_.end()) return false;
  now->second->after.push_back(std::move(then));
  return true;
}

void adapter_loading::give_up(const work_ptr& w, error why) {
  auto name = w->what.what.name;
  bool cancelled = why.code == errc::cancelled;
  auto entry = world_.names.find(name);
  bool was_there = entry && (entry->current || entry->failure);
  auto mine = world_.names.fail_load(w->ticket, why);
  // What was never there leaves no trace when its load is called off.
  if (mine && cancelled && !was_there && world_.names.find(name)->state == adapter_state::failed)
    world_.forget(name);
  if (!cancelled)
    log_warn("adapter {}: {}{}", name, why.text, why.reason.empty() ? "" : " (" + why.reason + ")");
  world_.emit(cancelled ? "cancelled" : "refused", name, {}, why.reason);
  auto& job = job_of(*w);
  finish(w);
  world_.jobs.fail(job, std::move(why), world_.seconds());
  next(name);
}

/// The load that waited for the last one of its name.
void adapter_loading::next(const std::string& name) {
  if (running_.contains(name)) return;
  auto queue = behind_.find(name);
  if (queue == behind_.end()) return;
  auto w = std::move(queue->second.front());
  queue->second.pop_front();
  if (queue->second.empty()) behind_.erase(queue);
  auto ok = check(w->what.what);
  if (ok) ok = start(w);
  if (ok) return read(w);
  world_.jobs.fail(job_of(*w), std::move(ok).error(), world_.seconds());
  next(name);
}

void adapter_loading::stop(const std::string& name) {
  for (auto queue = behind_.extract(name); !queue.empty(); queue = behind_.extract(name))
    for (auto& w : queue.mapped())
      world_.jobs.fail(job_of(*w), fail(errc::cancelled, "The adapter was unloaded", "cancelled"),
                       world_.seconds());
  auto now = running_.find(name);
  if (now == running_.end()) return;
  now->second->stopped = true;
  job_of(*now->second).stop.request_stop();
  world_.reads.sweep();
}

result<void> adapter_loading::cancel(adapter_jobs::entry& job) {
  if (job.committed)
    return fail(errc::conflict, "The load is being written down and can no longer be cancelled", "too_late");
  auto queue = behind_.find(job.facts.name);
  if (queue != behind_.end()) {
    auto mine = std::erase_if(queue->second, [&](auto& w) { return w->job == job.facts.id; });
    if (queue->second.empty()) behind_.erase(queue);
    if (mine > 0) {
      world_.jobs.fail(job, fail(errc::cancelled, "The load was cancelled", "cancelled"), world_.seconds());
      return {};
    }
  }
  running_.find(job.facts.name)->second->stopped = true;
  job.stop.request_stop();
  world_.reads.sweep();
  return {};
}

}  // namespace lorica
