#include "actors/composition_limits.hpp"

#include <fmt/core.h>

#include <map>

namespace lorica {

std::optional<error> unequal_ranks(const std::vector<std::optional<adapter_reference>>& all) {
  const adapter_reference* first = nullptr;
  for (auto& adapter : all) {
    if (adapter->meaning->ranks.size() != 1) continue;
    if (!first) first = &*adapter;
    if (adapter->meaning->ranks == first->meaning->ranks) continue;
    return fail(
        errc::invalid,
        fmt::format(
            "`linear` needs equal ranks: `{}` has rank {}, `{}` has rank {}; send `adapters` instead, "
            "which takes any ranks",
            first->name, first->meaning->ranks[0], adapter->name, adapter->meaning->ranks[0]),
        {}, "merged_adapters");
  }
  return std::nullopt;
}

std::optional<error> too_many_bytes(const std::vector<std::optional<adapter_reference>>& all,
                                    std::uint64_t room) {
  std::map<adapter_version, std::uint64_t> bytes;
  for (auto& adapter : all)
    bytes[adapter->meaning->version] = adapter->meaning->bytes;
  std::uint64_t sum = 0;
  for (auto& [version, of] : bytes)
    sum += of;
  if (bytes.size() < 2 || sum <= room) return std::nullopt;
  return fail(
      errc::invalid,
      fmt::format("the {} adapters of the request need {} bytes of memory together, and there are {} for "
                  "adapters; name fewer",
                  bytes.size(), sum, room),
      {}, "adapters");
}

}  // namespace lorica
