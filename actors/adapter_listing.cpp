#include "actors/adapter_listing.hpp"

namespace lorica {
namespace {

adapter_status status_of(const catalogue_entry& entry, const residency& shelf) {
  adapter_status out;
  out.name = entry.name;
  out.state = to_string(entry.state);
  out.tier = "disk";
  out.created = entry.created;
  if (entry.failure) out.failure = entry.failure->reason;
  if (!entry.current) return out;
  out.version = entry.current->version;
  out.ranks = entry.current->ranks;
  out.bytes = shelf.bytes(out.version);
  out.leases = shelf.leases(out.version);
  if (shelf.resident(out.version)) out.tier = "device";
  return out;
}

}  // namespace

std::vector<adapter_status> list_adapters(const catalogue& names, const residency& shelf,
                                          const std::map<std::string, std::uint64_t>& requests) {
  std::vector<adapter_status> out;
  for (auto& entry : names.list()) {
    if (entry.state == adapter_state::unloaded) continue;
    auto& added = out.emplace_back(status_of(entry, shelf));
    auto asked = requests.find(entry.name);
    if (asked != requests.end()) added.requests = asked->second;
  }
  return out;
}

}  // namespace lorica
