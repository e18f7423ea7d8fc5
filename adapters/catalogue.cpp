#include "adapters/catalogue.hpp"

#include <algorithm>
#include <utility>

#include "adapters/names.hpp"

namespace lorica {
namespace {

std::string quoted(std::string_view name) {
  std::string out = "'";
  out.append(name);
  return out += '\'';
}

error unknown(std::string_view name) {
  return fail(errc::unknown_adapter, "The lora adapter " + quoted(name) + " cannot be found.");
}

error in_use(std::string_view name, std::string_view why) {
  return fail(errc::invalid, "adapter name " + quoted(name) + " " + std::string(why), "invalid_name");
}

}  // namespace

catalogue::slot* catalogue::awaited(const load_ticket& ticket) {
  auto found = slots_.find(ticket.name);
  if (ticket.number == 0 || found == slots_.end() || found->second.load != ticket.number) return nullptr;
  return &found->second;
}

bool catalogue::make_room() {
  if (slots_.size() < max_entries_) return true;
  if (unloaded_.empty()) return false;
  slots_.erase(unloaded_.begin()->second);
  dropped_.push_back(std::move(unloaded_.begin()->second));
  unloaded_.erase(unloaded_.begin());
  return true;
}

void catalogue::point(slot& s, std::shared_ptr<const version_reference> next) {
  if (s.entry.current) {
    auto old = uses_.find(s.entry.current->version);
    old->second.erase(s.entry.name);
    if (old->second.empty()) uses_.erase(old);
  }
  if (next) uses_[next->version].insert(s.entry.name);
  s.entry.current = std::move(next);
}

result<catalogue::slot*> catalogue::slot_for(std::string_view name, std::int64_t now) {
  if (auto ok = check_adapter_name(name); !ok) return ok.error();
  auto found = slots_.find(name);
  if (found != slots_.end() && found->second.unloaded == 0) return &found->second;
  if (found == slots_.end() && !make_room())
    return fail(errc::out_of_memory, "the catalogue is full: " + std::to_string(max_entries_) + " names");
  auto& s = slots_[std::string(name)];
  bool revoked = unloaded_.erase(s.unloaded) > 0;
  s = slot{};
  s.revoked = revoked;
  s.entry.name = name;
  s.entry.created = now;
  return &s;
}

result<load_ticket> catalogue::begin_load(std::string_view name, std::string source, when_loaded policy,
                                          std::int64_t now) {
  if (auto known = find(name); known && !known->alias_of.empty())
    return in_use(name, "is an alias of " + quoted(known->alias_of));
  auto found = slot_for(name, now);
  if (!found) return found.error();
  auto& s = **found;
  bool registered = s.entry.current && !s.entry.dynamic;
  if (policy == when_loaded::refuse && registered)
    return fail(errc::invalid,
                "The lora adapter " + quoted(name) +
                    " has already been loaded. If you want to load the adapter in place, set 'load_inplace' "
                    "to True.",
                "already_loaded");
  if (policy == when_loaded::refuse && s.load != 0 && !s.entry.dynamic)
    return fail(errc::invalid, "The lora adapter " + quoted(name) + " is being loaded.", "already_loading");
  s.load = ++last_number_;
  s.entry.source = std::move(source);
  s.entry.reloading = s.entry.current != nullptr;
  if (!s.entry.current) s.entry.state = adapter_state::loading;
  return load_ticket{std::string(name), s.load};
}

result<load_ticket> catalogue::begin_dynamic_load(std::string_view name, std::string source,
                                                  std::int64_t now) {
  auto ticket = begin_load(name, std::move(source), when_loaded::refuse, now);
  if (!ticket) return ticket;
  ticket->dynamic = true;
  slots_.find(name)->second.entry.dynamic = true;
  return ticket;
}

result<void> catalogue::restore(catalogue_entry entry) {
  if (!entry.alias_of.empty()) return set_alias(entry.name, entry.alias_of, entry.created);
  auto found = slot_for(entry.name, entry.created);
  if (!found) return found.error();
  auto& s = **found;
  auto current = std::exchange(entry.current, nullptr);
  s.entry = std::move(entry);
  s.entry.reloading = false;
  point(s, s.entry.state == adapter_state::unloaded ? nullptr : std::move(current));
  if (s.entry.state == adapter_state::unloaded) set_unloaded(s);
  return {};
}

void catalogue::set_unloaded(slot& s) {
  s.entry.state = adapter_state::unloaded;
  s.unloaded = ++last_number_;
  unloaded_.emplace(s.unloaded, s.entry.name);
}

void catalogue::forget(std::string_view name) {
  auto found = slots_.find(name);
  if (found == slots_.end()) return;
  point(found->second, nullptr);
  unloaded_.erase(found->second.unloaded);
  slots_.erase(found);
}

/// The entry that holds what `name` means: its own, or its target's. Null when there is none in use.
catalogue::slot* catalogue::own_slot(std::string_view name) {
  auto found = slots_.find(name);
  if (found != slots_.end() && !found->second.entry.alias_of.empty())
    found = slots_.find(found->second.entry.alias_of);
  if (found == slots_.end() || found->second.unloaded != 0) return nullptr;
  return &found->second;
}

result<void> catalogue::set_pinned(std::string_view name, bool pinned) {
  auto s = own_slot(name);
  if (!s) return unknown(name);
  s->entry.pinned = pinned;
  return {};
}

result<void> catalogue::set_paused(std::string_view name, bool paused) {
  auto s = own_slot(name);
  if (!s) return unknown(name);
  s->entry.paused = paused;
  return {};
}

result<void> catalogue::set_defaults(std::string_view name,
                                     std::shared_ptr<const generation_defaults> defaults) {
  auto s = own_slot(name);
  if (!s) return unknown(name);
  s->entry.defaults = std::move(defaults);
  return {};
}

std::vector<std::string> catalogue::fail_version(const adapter_version& version, const error& why) {
  auto meant = uses_.find(version);
  if (meant == uses_.end()) return {};
  std::vector<std::string> out(meant->second.begin(), meant->second.end());
  for (auto& name : out) {
    auto& s = slots_.find(name)->second;
    point(s, nullptr);
    s.entry.failure = why;
    s.entry.lost = true;
    s.entry.state = s.load != 0 ? adapter_state::loading : adapter_state::failed;
    s.entry.reloading = false;
  }
  return out;
}

std::size_t catalogue::pins(const adapter_version& version) const {
  auto meant = uses_.find(version);
  if (meant == uses_.end()) return 0;
  return static_cast<std::size_t>(std::ranges::count_if(
      meant->second, [this](auto& name) { return slots_.find(name)->second.entry.pinned; }));
}

bool catalogue::finish_load(const load_ticket& ticket, version_reference reference) {
  auto s = awaited(ticket);
  if (!s) return false;
  s->load = 0;
  s->entry.reloading = false;
  s->entry.dynamic = ticket.dynamic;
  s->entry.state = adapter_state::ready;
  s->entry.failure.reset();
  s->entry.lost = false;
  s->revoked = false;
  point(*s, std::make_shared<const version_reference>(std::move(reference)));
  return true;
}

bool catalogue::fail_load(const load_ticket& ticket, error why) {
  auto s = awaited(ticket);
  if (!s) return false;
  s->load = 0;
  s->entry.reloading = false;
  s->entry.failure = std::move(why);
  if (s->entry.current) return true;
  s->entry.state = adapter_state::failed;
  if (s->revoked) set_unloaded(*s);
  return true;
}

result<void> catalogue::set_alias(std::string_view alias, std::string_view target, std::int64_t now) {
  auto to = slots_.find(target);
  if (to == slots_.end() || to->second.unloaded != 0) return unknown(target);
  if (!to->second.entry.alias_of.empty()) return in_use(target, "is an alias itself; name its target");
  if (auto known = find(alias); known && known->state != adapter_state::unloaded && known->alias_of.empty())
    return in_use(alias, "is in use; unload it first");
  auto found = slot_for(alias, now);
  if (!found) return found.error();
  (*found)->entry.alias_of = target;
  return {};
}

result<std::shared_ptr<const version_reference>> catalogue::unload(std::string_view name) {
  auto found = slots_.find(name);
  if (found == slots_.end() || found->second.unloaded != 0) return unknown(name);
  auto& s = found->second;
  if (!s.entry.alias_of.empty()) {
    slots_.erase(found);
    return std::shared_ptr<const version_reference>{};
  }
  auto was = s.entry.current;
  point(s, nullptr);
  s.load = 0;
  s.entry.reloading = false;
  s.entry.pinned = s.entry.paused = s.entry.dynamic = false;
  s.entry.defaults = nullptr;
  set_unloaded(s);
  return was;
}

result<std::shared_ptr<const version_reference>> catalogue::resolve(std::string_view name) const {
  auto found = slots_.find(name);
  if (found != slots_.end() && !found->second.entry.alias_of.empty())
    found = slots_.find(found->second.entry.alias_of);
  if (found == slots_.end() || found->second.unloaded != 0) return unknown(name);
  const auto& entry = found->second.entry;
  if (entry.current) return entry.current;
  if (entry.failure && entry.state == adapter_state::failed) return *entry.failure;
  return fail(errc::unavailable, "The lora adapter " + quoted(name) + " is being loaded.");
}

catalogue_entry catalogue::shown(const catalogue_entry& entry) const {
  auto out = entry;
  if (entry.alias_of.empty()) return out;
  auto to = slots_.find(entry.alias_of);
  if (to == slots_.end()) {
    out.state = adapter_state::unloaded;
    return out;
  }
  out.source = to->second.entry.source;
  out.state = to->second.entry.state;
  out.current = to->second.entry.current;
  out.reloading = to->second.entry.reloading;
  out.pinned = to->second.entry.pinned;
  out.paused = to->second.entry.paused;
  out.defaults = to->second.entry.defaults;
  out.dynamic = to->second.entry.dynamic;
  out.lost = to->second.entry.lost;
  out.failure = to->second.entry.failure;
  return out;
}

std::optional<catalogue_entry> catalogue::find(std::string_view name) const {
  auto found = slots_.find(name);
  if (found == slots_.end()) return std::nullopt;
  return shown(found->second.entry);
}

std::vector<catalogue_entry> catalogue::list() const {
  std::vector<catalogue_entry> out;
  out.reserve(slots_.size());
  for (const auto& [name, s] : slots_)
    out.push_back(shown(s.entry));
  return out;
}

std::vector<catalogue_version> catalogue::versions() const {
  std::vector<catalogue_version> out;
  out.reserve(uses_.size());
  for (auto& [version, of] : uses_)
    out.push_back({version, {of.begin(), of.end()}});
  return out;
}

bool catalogue::names_version(const adapter_version& version) const {
  return uses_.contains(version);
}

std::string catalogue::name_of(const adapter_version& version) const {
  auto meant = uses_.find(version);
  return meant == uses_.end() ? std::string() : *meant->second.begin();
}

}  // namespace lorica
