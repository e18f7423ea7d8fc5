#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace lorica {

/// XXH3 (64 bits) of `bytes`: as fast as memory delivers them. Tells damage, not intent: whoever wants two
/// inputs with one checksum can make them.
std::uint64_t checksum(std::span<const std::byte> bytes) noexcept;

}  // namespace lorica
