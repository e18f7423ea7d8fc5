#include "engine/lease_table.hpp"

#include <utility>

namespace lorica {

lease_table::entry& lease_table::take(const adapter_version& version) {
  auto [found, fresh] = entries_.try_emplace(version);
  auto& e = found->second;
  ++e.users;
  if (!fresh) return e;
  e.version = version;
  e.serial = next_serial_++;
  wanted_.push_back(version);
  return e;
}

lease_table::lease lease_table::drop(entry& e) {
  // An unanswered entry stays once it was asked for: its answer is on the way and must find it.
  if (--e.users != 0 || (!e.held && e.asked)) return nullptr;
  auto out = std::move(e.held);
  auto version = e.version;  // the key must outlive the entry it erases
  entries_.erase(version);
  return out;
}

lease_table::lease lease_table::grant(const adapter_version& version, lease granted,
                                      std::chrono::nanoseconds arrives) {
  auto e = pending(version);
  if (!e) return granted;
  if (e->users != 0) {
    e->held = std::move(granted);
    e->arrives = arrives;
    return nullptr;
  }
  entries_.erase(version);
  return granted;
}

lease_table::entry* lease_table::pending(const adapter_version& version) {
  auto found = entries_.find(version);
  return found == entries_.end() || found->second.held ? nullptr : &found->second;
}

void lease_table::forget(const adapter_version& version) {
  auto e = pending(version);
  if (e && e->users == 0) entries_.erase(version);
}

const lease_table::entry* lease_table::find(const adapter_version& version) const {
  auto found = entries_.find(version);
  return found == entries_.end() ? nullptr : &found->second;
}

std::vector<lease_table::entry*> lease_table::held() {
  std::vector<entry*> out;
  for (auto& [version, e] : entries_)
    if (e.held) out.push_back(&e);
  return out;
}

std::vector<adapter_version> lease_table::wanted() {
  std::vector<adapter_version> out;
  for (auto& version : std::exchange(wanted_, {})) {
    auto e = pending(version);
    if (!e || e->asked) continue;
    if (e->users == 0) {
      entries_.erase(version);
      continue;
    }
    e->asked = true;
    out.push_back(version);
  }
  return out;
}

}  // namespace lorica
