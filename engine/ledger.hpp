#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "core/error.hpp"

namespace lorica {

/// What memory is for. Each part has one owner.
enum class memory_part : std::uint8_t { weights, kv, adapters, workspace, caches };
inline constexpr std::size_t memory_part_count = 5;

std::string_view to_string(memory_part p) noexcept;

/// Bytes of every part, indexed by `memory_part`.
using memory_partition = std::array<std::uint64_t, memory_part_count>;

/// The one account of bytes: a fixed partition, and what is reserved in each part under which name. Pure
/// bookkeeping; owned by one thread.
class ledger {
 public:
  /// Fails (`errc::bad_config`) when the parts together exceed `total` bytes.
  static result<ledger> partition(std::uint64_t total, const memory_partition& parts);

  /// Reserves `bytes` for `name`. `errc::out_of_memory` names the part and the numbers; `errc::internal`: the
  /// name already holds bytes there. Nothing changes on failure.
  result<void> reserve(memory_part part, const std::string& name, std::uint64_t bytes);

  /// Gives back what `name` holds and says how much; 0 when it holds nothing.
  std::uint64_t release(memory_part part, const std::string& name);

  std::uint64_t size(memory_part part) const noexcept { return account_of(part).size; }
  std::uint64_t used(memory_part part) const noexcept { return account_of(part).used; }
  std::uint64_t free(memory_part part) const noexcept { return size(part) - used(part); }

  /// Reserved bytes of all parts.
  std::uint64_t used() const noexcept;

 private:
  struct account {
    std::uint64_t size = 0;
    std::uint64_t used = 0;
    std::map<std::string, std::uint64_t> names;
  };

  const account& account_of(memory_part p) const noexcept { return accounts_[static_cast<std::size_t>(p)]; }

  std::array<account, memory_part_count> accounts_;
};

}  // namespace lorica
