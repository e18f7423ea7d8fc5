#pragma once

#include <cstdint>
#include <string>

namespace lorica::bench {

/// Bytes that this process may still take: what the machine has available, and what its container's group
/// leaves where there is one. `root` is "/" except in tests; 0 where nothing is told.
std::uint64_t free_host_bytes(const std::string& root = "/");

/// GiB of pinned memory for adapters by default: half of that, at most 64.
double host_gib_for(std::uint64_t free_bytes) noexcept;

}  // namespace lorica::bench
