#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "actors/payloads.hpp"

namespace lorica {

/// Why the adapters of a request, all of them found, cannot be merged. Those of one rank each need not be
/// loaded to be seen not to fit; those of several are looked at module by module when they are.
std::optional<error> unequal_ranks(const std::vector<std::optional<adapter_reference>>& all);

/// Why they cannot be in `room` bytes of memory, where they are together or not at all.
std::optional<error> too_many_bytes(const std::vector<std::optional<adapter_reference>>& all,
                                    std::uint64_t room);

}  // namespace lorica
