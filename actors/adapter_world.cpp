#include "actors/adapter_world.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <caf/typed_event_based_actor.hpp>
#include <random>
#include <utility>

#include "actors/take_reply.hpp"
#include "adapters/refusal.hpp"
#include "core/json.hpp"
#include "core/log.hpp"

namespace lorica {
namespace {

constexpr auto store_limit = std::chrono::seconds(60);

std::string nonce() {
  return fmt::format("{:08x}", std::random_device{}());
}

}  // namespace

catalogue_record record_of(const catalogue_entry& entry) {
  catalogue_record out;
  out.name = entry.name;
  out.alias_of = entry.alias_of;
  out.created = entry.created;
  if (!out.alias_of.empty()) return out;  // everything else is its target's
  out.source = entry.source;
  out.state = entry.state;
  if (entry.current) out.current = *entry.current;
  out.pinned = entry.pinned;
  out.paused = entry.paused;
  if (entry.defaults) out.defaults = written(*entry.defaults);
  if (!entry.failure || entry.state != adapter_state::failed) return out;
  out.failure_reason = entry.failure->reason;
  out.failure_text = entry.failure->text;
  return out;
}

/// What a record holds was checked when it was read.
std::shared_ptr<const generation_defaults> kept_defaults(const std::string& text) {
  if (text.empty()) return nullptr;
  auto parsed = parse_json(text);
  auto read = parsed ? read_generation_defaults(*parsed) : result<generation_defaults>(parsed.error());
  return read ? std::make_shared<const generation_defaults>(*std::move(read)) : nullptr;
}

catalogue_entry entry_of(catalogue_record record) {
  catalogue_entry out;
  out.name = std::move(record.name);
  out.alias_of = std::move(record.alias_of);
  out.source = std::move(record.source);
  out.state = record.state;
  if (record.current) out.current = std::make_shared<const version_reference>(*std::move(record.current));
  out.pinned = record.pinned;
  out.paused = record.paused;
  out.defaults = kept_defaults(record.defaults);
  out.created = record.created;
  out.lost = record.state == adapter_state::failed;
  if (out.lost)
    out.failure = fail(code_of_refusal(record.failure_reason), std::move(record.failure_text),
                       std::move(record.failure_reason));
  return out;
}

namespace {

residency_options books_of(const adapters_parts& parts) {
  residency_options out{parts.budget_bytes, parts.eviction};
  if (parts.most_resident != 0) out.most_versions = parts.most_resident;
  return out;
}

}  // namespace

adapter_world::adapter_world(adapters_actor::pointer owner, const adapters_parts& parts)
    : self(owner),
      names(parts.max_names),
      jobs(nonce()),
      reads(owner, parts.loaders, parts.hub),
      shelf(owner, parts.executor, parts.loaders, reads, books_of(parts), parts.drain_after, parts.clock,
            listen()),
      clock_(parts.clock),
      began_(parts.clock.now()),
      wall_clock_(parts.wall_clock),
      store_(parts.store),
      telemetry_(parts.telemetry),
      board_(parts.board) {}

std::int64_t adapter_world::milliseconds() const {
  return wall_clock_ * 1000 + (clock_.now() - began_) / std::chrono::milliseconds(1);
}

std::int64_t adapter_world::seconds() const {
  return milliseconds() / 1000;
}

void adapter_world::keep(catalogue_change change, std::function<void(result<void>)> then) {
  if (!store_) return then({});
  auto all = std::make_shared<catalogue_changes>();
  all->changes.push_back(std::move(change));
  take_reply(
      self->request(store_, store_limit, atom::store::value, catalogue_changes_ptr(std::move(all))),
      [then](const outcome_ptr& outcome) { then(*outcome); },
      [then](const caf::error&) {
        then(fail(errc::io, "The catalogue cannot be written", "storage_unavailable"));
      });
}

void adapter_world::forget(const std::string& name) {
  names.forget(name);
  counts.erase(name);
}

void adapter_world::forget_dropped() {
  for (auto& name : names.take_dropped()) {
    counts.erase(name);
    keep({name, std::nullopt}, [](const result<void>&) {});
  }
}

void adapter_world::unhold(const adapter_version& version) {
  auto found = held_.find(version);
  if (--found->second == 0) held_.erase(found);
}

void adapter_world::let_go(const adapter_version& version, std::function<void(std::uint64_t)> freed) {
  if (names.names_version(version) || users.count(version) > 0 || held_.contains(version)) return freed(0);
  contents.erase(version);
  shelf.drop(version, std::move(freed));
}

void adapter_world::let_go(const adapter_version& version) {
  let_go(version, [](std::uint64_t) {});
}

void adapter_world::emit(std::string_view kind, const std::string& name,
                         std::optional<adapter_version> version, std::string because) {
  events.emit(kind, name, version, std::move(because), milliseconds());
}

std::string adapter_world::any_name(const adapter_version& version) const {
  return names.name_of(version);
}

adapter_shelf::listener adapter_world::listen() {
  return {.changed = [this] { changed(); },
          .evicted =
              [this](const adapter_version& version) {
                auto name = any_name(version);
                log_debug("adapter {} (version {}) left memory to make room", name, version.short_hex());
                emit("evicted", name, version, "room for another adapter");
              },
          .read = [this](const load_facts& facts) { note_read(facts); },
          .knows = [this](const adapter_version& version) { return contents.contains(version); },
          .contains =
              [this](const adapter_version& version, std::shared_ptr<const adapter_contents> found) {
                contents[version] = std::move(found);
              },
          .source_changed = [this](const adapter_version& version,
                                   const error& why) { lose_source(version, why); }};
}

/// Its names are failed until somebody loads them again.
void adapter_world::lose_source(const adapter_version& version, const error& why) {
  for (auto& name : names.fail_version(version, why)) {
    log_warn("adapter {}: {} ({})", name, why.text, why.reason);
    emit("refused", name, version, why.reason);
    auto entry = names.find(name);
    // A load that runs has the last word; after a restart the change would be found again.
    bool loading = entry->state == adapter_state::loading;
    if (!entry->dynamic && !loading) keep({name, record_of(*entry)}, [](const result<void>&) {});
  }
  let_go(version);
}

adapter_status adapter_world::status(const catalogue_entry& entry) const {
  auto& books = shelf.books();
  adapter_status out;
  out.name = entry.name;
  out.alias_of = entry.alias_of;
  out.state = to_string(entry.state);
  out.tier = entry.current && entry.current->source.starts_with("hub:") ? "hub" : "disk";
  out.created = entry.created;
  out.source = entry.source;
  out.pinned = entry.pinned;
  out.paused = entry.paused;
  out.dynamic = entry.dynamic;
  if (entry.failure) out.failure = entry.failure->reason;
  out.users = users.count(entry.alias_of.empty() ? entry.name : entry.alias_of);
  if (auto counted = counts.find(entry.name); counted != counts.end()) {
    out.requests = counted->second.requests;
    out.hits = counted->second.hits;
    out.loads = counted->second.loads;
    out.last_used = counted->second.last_used;
  }
  if (!entry.current) return out;
  out.version = entry.current->version;
  out.ranks = entry.current->ranks;
  out.bytes = books.bytes(out.version);
  out.leases = books.leases(out.version);
  if (books.resident(out.version)) out.tier = "device";
  if (auto known = contents.find(out.version); known != contents.end())
    out.modules = static_cast<std::uint32_t>(known->second->modules.size());
  return out;
}

void adapter_world::stop_loads() {
  jobs.stop_all();
  reads.stop();
}

std::uint64_t adapter_world::next_timer(std::chrono::nanoseconds delay) {
  self->delayed_send(self, delay, atom::expire::value, ++last_timer_);
  return last_timer_;
}

void adapter_world::note_read(const load_facts& facts) {
  loads_.push_back(facts);
  changed();
}

/// Lists cost something with many adapters, so changes are gathered for a moment.
void adapter_world::changed() {
  if (std::exchange(publishing_, true)) return;
  auto delay = std::max<std::uint64_t>(20, names.size() / 5);
  self->delayed_send(self, std::chrono::milliseconds(delay), atom::publish::value);
}

void adapter_world::publish() {
  publishing_ = false;
  auto facts = std::make_shared<adapters_facts>();
  for (auto& entry : names.list())
    if (entry.state != adapter_state::unloaded) facts->adapters.push_back(status(entry));
  auto totals = shelf.books().totals();
  facts->at = milliseconds();
  facts->leases = totals.leases;
  facts->resident = totals.versions;
  facts->resident_bytes = totals.resident_bytes;
  facts->budget_bytes = shelf.books().budget();
  facts->evictions = totals.evictions;
  facts->loads = std::exchange(loads_, {});
  board_->update(facts);
  self->send(telemetry_, atom::publish::value, adapters_facts_ptr(facts));
}

}  // namespace lorica
