#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace lorica {

/// Memory that is read soon, and asked for on the way there: a product of several rows waits for its sums,
/// not for memory, and an adapter's part behind it waits for nothing else.
struct memory_ahead {
  struct range {
    const std::byte* begin = nullptr;
    std::size_t bytes = 0;
  };

  /// What does not fit is read all the same, only later.
  void add(const std::byte* begin, std::size_t bytes) noexcept {
    if (bytes != 0 && count < ranges.size()) ranges[count++] = {begin, bytes};
  }

  std::array<range, 192> ranges = {};  ///< in the order in which they are read
  std::uint32_t count = 0;
};

}  // namespace lorica
