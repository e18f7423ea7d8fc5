#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "core/ids.hpp"
#include "engine/packed_adapter.hpp"

namespace lorica {

/// What the planner holds of adapters: one lease per version, shared by the sequences that use it. Packed
/// adapters are never destroyed here: leases that nobody needs any more are handed back by the calls that end
/// them.
class lease_table {
 public:
  using lease = std::shared_ptr<const packed_adapter>;

  /// One version that is asked for or held. The address is stable while it has users.
  struct entry {
    adapter_version version;
    std::uint64_t serial = 0;  ///< order of first use: sorts compositions without looking at digests
    lease held;                ///< null: asked for, not answered yet
    std::uint64_t users = 0;
    bool asked = false;  ///< was handed out by `wanted`

    /// Takes no new users: its lease is to go back. Of a held one.
    bool draining = false;

    std::chrono::nanoseconds arrives{0};  ///< when a held one is where steps read it, by the planner's time
    std::uint64_t look = 0;               ///< the planner's latest look that met it
  };

  /// Adds a user; a version that is neither held nor asked for becomes wanted.
  entry& take(const adapter_version& version);

  /// Removes a user of `e`. The lease, when this was the last user of a held one; else null.
  [[nodiscard]] lease drop(entry& e);

  /// The lease arrived. What is handed back (null: it was taken): a lease that nobody waits for any more.
  [[nodiscard]] lease grant(const adapter_version& version, lease granted,
                            std::chrono::nanoseconds arrives = {});

  /// The entry of a version that is asked for and not held; null when there is none.
  entry* pending(const adapter_version& version);

  /// Forgets that an unanswered version was asked for, once it has no user.
  void forget(const adapter_version& version);

  /// The entry of a version that is held or asked for; null when there is none.
  const entry* find(const adapter_version& version) const;

  /// The entries that are held, in no order.
  std::vector<entry*> held();

  /// Versions wanted since the last call, in the order of first use.
  std::vector<adapter_version> wanted();

  std::size_t size() const noexcept { return entries_.size(); }

 private:
  std::unordered_map<adapter_version, entry, adapter_version_hash> entries_;
  std::vector<adapter_version> wanted_;
  std::uint64_t next_serial_ = 1;
};

}  // namespace lorica
