#include "net/connection_cap.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <limits>

namespace lorica {

std::uint32_t connection_cap(std::uint32_t wanted, std::uint32_t reserved,
                             std::uint64_t descriptors) noexcept {
  // Files, SQLite, downloads, event loops: a quarter, and never more than they can need.
  auto others = std::min<std::uint64_t>(descriptors / 4, 512) + reserved;
  auto room = descriptors > others ? descriptors - others : 1;
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(wanted, room));
}

std::uint32_t connection_cap(std::uint32_t wanted, std::uint32_t reserved) noexcept {
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur == RLIM_INFINITY) return wanted;
  return connection_cap(wanted, reserved, files.rlim_cur);
}

}  // namespace lorica
