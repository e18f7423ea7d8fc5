#include "bench/gpu/host_memory.hpp"

#include <algorithm>
#include <fstream>
#include <optional>

namespace lorica::bench {
namespace {

constexpr double most_gib = 64;

/// Of a file that holds one number; nothing where it says `max`.
std::optional<std::uint64_t> number_in(const std::string& path) {
  std::ifstream file(path);
  std::uint64_t out = 0;
  if (file >> out) return out;
  return std::nullopt;
}

}  // namespace

std::uint64_t free_host_bytes(const std::string& root) {
  std::ifstream file(root + "proc/meminfo");
  std::string word;
  std::uint64_t kib = 0, out = 0;
  while (file >> word)
    if (word == "MemAvailable:" && file >> kib) out = kib << 10;
  const auto most = number_in(root + "sys/fs/cgroup/memory.max");
  const auto used = number_in(root + "sys/fs/cgroup/memory.current").value_or(0);
  return most ? std::min(out, *most - std::min(used, *most)) : out;
}

double host_gib_for(std::uint64_t free_bytes) noexcept {
  return std::min(most_gib, static_cast<double>(free_bytes) / 2 / (1 << 30));
}

}  // namespace lorica::bench
