#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <set>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "core/error.hpp"
#include "core/ids.hpp"

namespace lorica {

/// Who goes first when room is needed: `gdsf` weighs use, reload cost and size; `lru` the last use only.
enum class eviction_policy : std::uint8_t { gdsf, lru };

struct residency_options {
  std::uint64_t budget_bytes = 0;
  eviction_policy policy = eviction_policy::gdsf;
  std::uint64_t most_versions = std::numeric_limits<std::uint64_t>::max();  ///< at once, however small
};

/// At whose cost room is made for a load.
enum class room_from : std::uint8_t {
  anyone,    ///< who is not leased or pinned; those that no request wants go first
  unwanted,  ///< only those that no request wants
};

/// Answer to the wish to load a version.
struct load_start {
  enum class kind : std::uint8_t {
    started,   ///< the caller loads, and reports with finish_load or fail_load
    joined,    ///< somebody is already loading it
    resident,  ///< it is there
  };
  kind what = kind::started;
  std::vector<adapter_version> evicted;  ///< left to make room; the caller frees their bytes
};

/// What became of a version that nobody should keep.
enum class drop_outcome : std::uint8_t {
  gone,      ///< its bytes are free now
  deferred,  ///< leases or a load hold it; it goes with the last of them
  absent,    ///< it was not there
};

/// Totals at one moment. `resident_bytes + loading_bytes <= budget` and `versions + loads <= most_versions`
/// always.
struct residency_totals {
  std::uint64_t resident_bytes = 0;
  std::uint64_t loading_bytes = 0;    ///< reserved by loads that run
  std::uint64_t evictable_bytes = 0;  ///< resident, neither leased nor pinned
  std::uint64_t leases = 0;
  std::uint64_t versions = 0;  ///< resident
  std::uint64_t loads = 0;     ///< that run
  std::uint64_t evictions = 0;
};

/// Which versions lie in one tier (one object per tier: host memory, a device), who uses them and who goes
/// first. Bookkeeping only: the bytes belong to the caller. A plain class, owned by one thread; `now` is any
/// number that never falls. Eviction by GDSF (Cherkasova 1998): priority = clock + uses * cost / bytes, and
/// the clock rises to the priority of what is evicted.
class residency {
 public:
  explicit residency(residency_options options) : options_(options) {}

  /// Wishes to bring `version` in: reserves `bytes` and a place, and evicts what is neither leased nor pinned
  /// when room is short; nothing is evicted when that would not do. `cost` is what loading it again would
  /// cost, in any unit that is the same for all (seconds). Loading again lifts an earlier `drop`. Fails with
  /// `errc::out_of_memory`: reason `too_large` when the budget could never hold it, `memory_in_use` when
  /// leases and pins hold it now.
  result<load_start> begin_load(const adapter_version& version, std::uint64_t bytes, double cost,
                                std::uint64_t now, room_from whose = room_from::anyone);

  /// The load that `begin_load` started is done, with `bytes` really held. Returns what had to leave because
  /// that is more than was reserved. Fails like `begin_load`, or with `errc::cancelled` when the version was
  /// dropped meanwhile: the caller then frees the bytes. `errc::internal` when no such load runs.
  result<std::vector<adapter_version>> finish_load(const adapter_version& version, std::uint64_t bytes,
                                                   std::uint64_t now);

  /// The load is over without a result; its reservation is free. False when no such load runs.
  bool fail_load(const adapter_version& version);

  /// Holds a resident version for one user; false when it is not resident. Counts as a use.
  bool lease(const adapter_version& version, std::uint64_t now);

  /// Gives back one lease. True when the version left with it (it was dropped): the caller frees its bytes.
  bool release(const adapter_version& version, std::uint64_t now);

  /// A request for the version is inside the server and has no lease yet, or needs none any more. Counted for
  /// any version, resident or not: it would have to come back at once if it left.
  void want(const adapter_version& version);
  void unwant(const adapter_version& version);

  /// Exempts a resident or loading version from eviction; pins count. False when it is neither.
  bool pin(const adapter_version& version);

  /// Takes back one pin; false when there is none.
  bool unpin(const adapter_version& version);

  /// Takes a version out that nobody needs now; true when it is not there afterwards and its bytes, if it had
  /// any, are the caller's to free. False while it is leased, pinned or loading.
  bool evict(const adapter_version& version);

  /// Takes out who would go first, as for room: where the tier has less room than the books say. Nothing when
  /// all are leased or pinned, or it would be at the cost of somebody else than `whose`.
  std::optional<adapter_version> evict_first(room_from whose = room_from::anyone);

  /// No name means the version any more: it leaves now, or with its last lease or load. Pins do not hold it.
  drop_outcome drop(const adapter_version& version);

  bool resident(const adapter_version& version) const;
  bool loading(const adapter_version& version) const;
  std::uint64_t leases(const adapter_version& version) const;

  /// Bytes of a resident version; 0 when it is not.
  std::uint64_t bytes(const adapter_version& version) const;

  residency_totals totals() const noexcept { return totals_; }
  std::uint64_t budget() const noexcept { return options_.budget_bytes; }

  /// What would leave next, in order, until one more version of `bytes` would fit; nothing when that cannot
  /// be.
  std::optional<std::vector<adapter_version>> victims(std::uint64_t bytes,
                                                      room_from whose = room_from::anyone) const {
    return victims(bytes, 1, whose);
  }

 private:
  struct item {
    std::uint64_t bytes = 0;
    std::uint64_t leases = 0;
    std::uint64_t pins = 0;
    std::uint64_t uses = 1;
    std::uint64_t last_use = 0;
    std::uint64_t wants = 0;
    double cost = 0;
    double priority = 0;
    bool loading = true;
    bool dropped = false;
  };
  using rank =
      std::tuple<bool, double, std::uint64_t, adapter_version>;  ///< wanted, priority, last use, digest

  item* resident_item(const adapter_version& version);
  const item* find(const adapter_version& version) const;
  bool idle(const item& i) const noexcept { return !i.loading && i.leases == 0 && i.pins == 0; }
  rank rank_of(const adapter_version& version, const item& i) const;
  void touch(item& i, std::uint64_t now);
  void shelve(const adapter_version& version, const item& i);
  void unshelve(const adapter_version& version, const item& i);
  void forget(const adapter_version& version);
  void leave(const adapter_version& version);
  std::optional<std::vector<adapter_version>> victims(std::uint64_t bytes, std::uint64_t places,
                                                      room_from whose) const;
  result<std::vector<adapter_version>> make_room(std::uint64_t bytes, std::uint64_t places, room_from whose);
  void count_wants(const adapter_version& version, std::uint64_t wants);
  error no_room(std::uint64_t bytes) const;

  residency_options options_;
  residency_totals totals_;
  double clock_ = 0;
  std::unordered_map<adapter_version, item, adapter_version_hash> items_;
  std::unordered_map<adapter_version, std::uint64_t, adapter_version_hash> wants_;
  std::set<rank> idle_;  ///< evictable, first to go first
};

}  // namespace lorica
