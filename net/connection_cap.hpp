#pragma once

#include <cstdint>

namespace lorica {

/// How many connections of the `wanted` a process may hold that may open `descriptors` files: what is left
/// after `reserved` connections and a share for everything else, at least one.
std::uint32_t connection_cap(std::uint32_t wanted, std::uint32_t reserved,
                             std::uint64_t descriptors) noexcept;

/// The same for this process, as its limits are now.
std::uint32_t connection_cap(std::uint32_t wanted, std::uint32_t reserved) noexcept;

}  // namespace lorica
