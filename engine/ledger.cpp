#include "engine/ledger.hpp"

#include "core/checked.hpp"

namespace lorica {

std::string_view to_string(memory_part p) noexcept {
  constexpr std::array<std::string_view, memory_part_count> names{"weights", "kv", "adapters", "workspace",
                                                                  "caches"};
  return names[static_cast<std::size_t>(p)];
}

result<ledger> ledger::partition(std::uint64_t total, const memory_partition& parts) {
  ledger out;
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    auto next = checked_add(sum, parts[i]);
    if (!next || *next > total)
      return fail(errc::bad_config, std::string(to_string(static_cast<memory_part>(i))) + ": " +
                                        std::to_string(parts[i]) + " bytes do not fit; " +
                                        std::to_string(total - sum) + " of " + std::to_string(total) +
                                        " are left");
    sum = *next;
    out.accounts_[i].size = parts[i];
  }
  return out;
}

result<void> ledger::reserve(memory_part part, const std::string& name, std::uint64_t bytes) {
  auto& a = accounts_[static_cast<std::size_t>(part)];
  auto where = std::string(to_string(part));
  if (a.names.contains(name)) return fail(errc::internal, where + ": '" + name + "' already holds bytes");
  if (bytes > a.size - a.used)
    return fail(errc::out_of_memory, where + ": '" + name + "' needs " + std::to_string(bytes) + " bytes; " +
                                         std::to_string(a.size - a.used) + " of " + std::to_string(a.size) +
                                         " are free");
  a.names.emplace(name, bytes);
  a.used += bytes;
  return {};
}

std::uint64_t ledger::release(memory_part part, const std::string& name) {
  auto& a = accounts_[static_cast<std::size_t>(part)];
  auto found = a.names.find(name);
  if (found == a.names.end()) return 0;
  auto bytes = found->second;
  a.used -= bytes;
  a.names.erase(found);
  return bytes;
}

std::uint64_t ledger::used() const noexcept {
  std::uint64_t sum = 0;
  for (auto& a : accounts_)
    sum += a.used;
  return sum;
}

}  // namespace lorica
