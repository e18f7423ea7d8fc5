#include "adapters/residency.hpp"

#include <algorithm>
#include <cmath>
#include <string>

#include "core/checked.hpp"

namespace lorica {

residency::item* residency::resident_item(const adapter_version& version) {
  auto found = items_.find(version);
  return found == items_.end() || found->second.loading ? nullptr : &found->second;
}

const residency::item* residency::find(const adapter_version& version) const {
  auto found = items_.find(version);
  return found == items_.end() ? nullptr : &found->second;
}

residency::rank residency::rank_of(const adapter_version& version, const item& i) const {
  return {i.wants != 0, i.priority, i.last_use, version};
}

void residency::touch(item& i, std::uint64_t now) {
  i.last_use = now;
  if (options_.policy == eviction_policy::lru) return;
  auto size = static_cast<double>(std::max<std::uint64_t>(i.bytes, 1));
  i.priority = clock_ + static_cast<double>(i.uses) * i.cost / size;
}

void residency::shelve(const adapter_version& version, const item& i) {
  if (!idle(i)) return;
  idle_.insert(rank_of(version, i));
  totals_.evictable_bytes += i.bytes;
}

void residency::unshelve(const adapter_version& version, const item& i) {
  if (!idle(i)) return;
  idle_.erase(rank_of(version, i));
  totals_.evictable_bytes -= i.bytes;
}

void residency::forget(const adapter_version& version) {
  auto found = items_.find(version);
  auto& i = found->second;
  unshelve(version, i);
  if (i.loading) {
    totals_.loading_bytes -= i.bytes;
    --totals_.loads;
  } else {
    totals_.resident_bytes -= i.bytes;
    --totals_.versions;
  }
  items_.erase(found);
}

std::optional<std::vector<adapter_version>> residency::victims(std::uint64_t bytes, std::uint64_t places,
                                                               room_from whose) const {
  auto used = totals_.resident_bytes + totals_.loading_bytes;
  auto wanted = checked_add(used, bytes);
  if (!wanted) return std::nullopt;
  auto missing = *wanted - std::min(*wanted, options_.budget_bytes);
  auto count = totals_.versions + totals_.loads + places;
  auto too_many = count - std::min(count, options_.most_versions);
  if (missing > totals_.evictable_bytes || too_many > idle_.size()) return std::nullopt;
  std::vector<adapter_version> out;
  for (auto next = idle_.begin(); missing > 0 || out.size() < too_many; ++next) {
    if (whose == room_from::unwanted && std::get<bool>(*next)) return std::nullopt;
    out.push_back(std::get<adapter_version>(*next));
    missing -= std::min(missing, items_.at(out.back()).bytes);
  }
  return out;
}

error residency::no_room(std::uint64_t bytes) const {
  auto budget = std::to_string(options_.budget_bytes);
  if (bytes > options_.budget_bytes)
    return fail(errc::out_of_memory,
                "the adapter needs " + std::to_string(bytes) + " bytes, the budget for adapters is " + budget,
                "too_large");
  if (totals_.versions + totals_.loads >= options_.most_versions && idle_.empty())
    return fail(errc::out_of_memory,
                "all " + std::to_string(options_.most_versions) +
                    " places for adapters are held by running requests, loads and pinned adapters",
                "memory_in_use");
  return fail(errc::out_of_memory,
              "the adapter needs " + std::to_string(bytes) + " bytes, but of the " + budget +
                  " bytes for adapters too many are held by running requests, loads and pinned adapters",
              "memory_in_use");
}

/// Leaves for another.
void residency::leave(const adapter_version& version) {
  clock_ = std::max(clock_, items_.at(version).priority);
  forget(version);
  ++totals_.evictions;
}

result<std::vector<adapter_version>> residency::make_room(std::uint64_t bytes, std::uint64_t places,
                                                          room_from whose) {
  auto leaving = victims(bytes, places, whose);
  if (!leaving) return no_room(bytes);
  for (const auto& version : *leaving)
    leave(version);
  return *std::move(leaving);
}

result<load_start> residency::begin_load(const adapter_version& version, std::uint64_t bytes, double cost,
                                         std::uint64_t now, room_from whose) {
  if (auto known = items_.find(version); known != items_.end()) {
    known->second.dropped = false;
    return load_start{known->second.loading ? load_start::kind::joined : load_start::kind::resident, {}};
  }
  auto evicted = make_room(bytes, 1, whose);
  if (!evicted) return evicted.error();
  item fresh;
  fresh.bytes = bytes;
  fresh.cost = std::isfinite(cost) && cost > 0 ? cost : 0;  // one bad measurement must not poison the clock
  fresh.last_use = now;
  if (auto wanted = wants_.find(version); wanted != wants_.end()) fresh.wants = wanted->second;
  items_.emplace(version, fresh);
  totals_.loading_bytes += bytes;
  ++totals_.loads;
  return load_start{load_start::kind::started, *std::move(evicted)};
}

result<std::vector<adapter_version>> residency::finish_load(const adapter_version& version,
                                                            std::uint64_t bytes, std::uint64_t now) {
  auto found = items_.find(version);
  if (found == items_.end() || !found->second.loading)
    return fail(errc::internal, "no load of adapter version " + version.short_hex() + " runs");
  auto& i = found->second;
  if (i.dropped) {
    forget(version);
    return fail(errc::cancelled, "the adapter was unloaded while it was being loaded");
  }
  std::vector<adapter_version> evicted;
  if (bytes > i.bytes) {
    auto more = make_room(bytes - i.bytes, 0, room_from::anyone);
    if (!more) {
      forget(version);
      return no_room(bytes);
    }
    evicted = *std::move(more);
  }
  totals_.loading_bytes -= i.bytes;
  --totals_.loads;
  totals_.resident_bytes += bytes;
  ++totals_.versions;
  i.bytes = bytes;
  i.loading = false;
  touch(i, now);
  shelve(version, i);
  return evicted;
}

bool residency::fail_load(const adapter_version& version) {
  if (!loading(version)) return false;
  forget(version);
  return true;
}

bool residency::lease(const adapter_version& version, std::uint64_t now) {
  auto i = resident_item(version);
  if (!i) return false;
  unshelve(version, *i);
  ++i->leases;
  ++i->uses;
  ++totals_.leases;
  touch(*i, now);
  return true;
}

bool residency::release(const adapter_version& version, std::uint64_t now) {
  auto i = resident_item(version);
  if (!i || i->leases == 0) return false;
  --totals_.leases;
  if (i->leases == 1 && i->dropped) {
    forget(version);  // while its lease still keeps it off the shelf
    return true;
  }
  --i->leases;
  // The clock may have risen during a long lease: a version that was in use until now is not an old one.
  touch(*i, now);
  shelve(version, *i);
  return false;
}

void residency::count_wants(const adapter_version& version, std::uint64_t wants) {
  auto found = items_.find(version);
  if (found == items_.end()) return;
  unshelve(version, found->second);
  found->second.wants = wants;
  shelve(version, found->second);
}

void residency::want(const adapter_version& version) {
  count_wants(version, ++wants_[version]);
}

void residency::unwant(const adapter_version& version) {
  auto found = wants_.find(version);
  if (found == wants_.end()) return;
  auto left = --found->second;
  if (left == 0) wants_.erase(found);
  count_wants(version, left);
}

bool residency::pin(const adapter_version& version) {
  auto found = items_.find(version);
  if (found == items_.end()) return false;
  unshelve(version, found->second);
  ++found->second.pins;
  return true;
}

bool residency::unpin(const adapter_version& version) {
  auto found = items_.find(version);
  if (found == items_.end() || found->second.pins == 0) return false;
  --found->second.pins;
  shelve(version, found->second);
  return true;
}

bool residency::evict(const adapter_version& version) {
  auto found = find(version);
  if (!found) return true;
  if (!idle(*found)) return false;
  forget(version);
  return true;
}

std::optional<adapter_version> residency::evict_first(room_from whose) {
  if (idle_.empty()) return std::nullopt;
  if (whose == room_from::unwanted && std::get<bool>(*idle_.begin())) return std::nullopt;
  auto version = std::get<adapter_version>(*idle_.begin());
  leave(version);
  return version;
}

drop_outcome residency::drop(const adapter_version& version) {
  auto found = items_.find(version);
  if (found == items_.end()) return drop_outcome::absent;
  auto& i = found->second;
  if (i.loading || i.leases > 0) {
    i.dropped = true;
    return drop_outcome::deferred;
  }
  forget(version);
  return drop_outcome::gone;
}

bool residency::resident(const adapter_version& version) const {
  auto i = find(version);
  return i && !i->loading;
}

bool residency::loading(const adapter_version& version) const {
  auto i = find(version);
  return i && i->loading;
}

std::uint64_t residency::leases(const adapter_version& version) const {
  auto i = find(version);
  return i ? i->leases : 0;
}

std::uint64_t residency::bytes(const adapter_version& version) const {
  auto i = find(version);
  return i && !i->loading ? i->bytes : 0;
}

}  // namespace lorica
