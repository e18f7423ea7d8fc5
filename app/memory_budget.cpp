#include "app/memory_budget.hpp"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <limits>
#include <optional>

#include "core/checked.hpp"

namespace lorica {
namespace {

constexpr auto unlimited = std::numeric_limits<std::uint64_t>::max();

std::optional<std::uint64_t> read_number(const std::string& path) {
  std::ifstream file(path);
  std::string text;
  if (!(file >> text)) return std::nullopt;
  std::uint64_t out = 0;
  auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (code != std::errc{} || end != text.data() + text.size()) return std::nullopt;  // "max" is no limit
  return out;
}

std::uint64_t machine_available(const std::string& root) {
  std::ifstream file(root + "proc/meminfo");
  std::string word;
  while (file >> word) {
    std::uint64_t kib = 0;
    if (word == "MemAvailable:" && file >> kib) return kib * 1024;
  }
  return unlimited;
}

std::uint64_t left_of(std::optional<std::uint64_t> limit, std::optional<std::uint64_t> used) {
  if (!limit) return unlimited;
  return *limit > used.value_or(0) ? *limit - used.value_or(0) : 0;
}

/// What one hierarchy leaves, walking from the process's own group to the root.
std::uint64_t group_available(const std::string& mount, std::string group, const std::string& limit_name,
                              const std::string& used_name) {
  auto out = unlimited;
  while (true) {
    auto base = mount + group + "/";
    out = std::min(out, left_of(read_number(base + limit_name), read_number(base + used_name)));
    if (group.empty()) return out;
    auto slash = group.rfind('/');
    group = slash == std::string::npos ? std::string() : group.substr(0, slash);
  }
}

std::uint64_t control_group_available(const std::string& root) {
  std::ifstream file(root + "proc/self/cgroup");
  std::string line;
  auto out = unlimited;
  while (std::getline(file, line)) {
    auto first = line.find(':');
    auto second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    auto controllers = line.substr(first + 1, second - first - 1);
    auto group = line.substr(second + 1);
    if (group == "/") group.clear();
    if (controllers.empty())
      out = std::min(out, group_available(root + "sys/fs/cgroup", group, "memory.max", "memory.current"));
    if (controllers.find("memory") != std::string::npos)
      out = std::min(out, group_available(root + "sys/fs/cgroup/memory", group, "memory.limit_in_bytes",
                                          "memory.usage_in_bytes"));
  }
  return out;
}

std::uint64_t ceil_div(std::uint64_t a, std::uint64_t b) {
  return a / b + (a % b != 0 ? 1 : 0);
}

}  // namespace

std::uint64_t available_memory(const std::string& root) {
  return std::min(machine_available(root), control_group_available(root));
}

result<kv_plan> plan_kv(const kv_request& r) {
  auto block_bytes = r.bytes_per_token * r.block_tokens;
  std::uint64_t longest = r.max_total_tokens != 0 ? r.max_total_tokens : r.max_positions;
  if (longest > r.max_positions)
    return fail(errc::bad_config, "--max-total-tokens: '" + std::to_string(longest) +
                                      "' is not allowed; the model has " + std::to_string(r.max_positions) +
                                      " positions");
  auto most_blocks = checked_mul<std::uint64_t>(ceil_div(longest, r.block_tokens), r.max_sequences);
  auto bytes = r.kv_memory != 0 ? r.kv_memory : r.available / r.share;
  auto blocks = std::min({bytes / block_bytes, most_blocks.value_or(unlimited),
                          std::uint64_t{std::numeric_limits<std::uint32_t>::max()}});
  auto capacity = blocks * r.block_tokens;
  if (r.max_total_tokens != 0 && capacity < longest)
    return fail(errc::bad_config, "the KV cache of " + std::to_string(bytes) + " bytes holds " +
                                      std::to_string(capacity) + " tokens, less than --max-total-tokens (" +
                                      std::to_string(longest) + "); raise --kv-memory to at least " +
                                      std::to_string(ceil_div(longest, r.block_tokens) * block_bytes));
  if (capacity < 2 * r.block_tokens)
    return fail(errc::bad_config, "the KV cache of " + std::to_string(bytes) +
                                      " bytes is too small; raise --kv-memory to at least " +
                                      std::to_string(2 * block_bytes));
  return kv_plan{static_cast<std::uint32_t>(blocks), static_cast<std::uint32_t>(std::min(longest, capacity))};
}

}  // namespace lorica
