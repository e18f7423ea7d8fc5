#pragma once

#include <caf/typed_response_promise.hpp>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string_view>
#include <vector>

#include "actors/adapter_reads.hpp"
#include "actors/payloads.hpp"
#include "actors/protocol.hpp"
#include "adapters/residency.hpp"

namespace lorica {

/// The packed adapters in memory: who gets a lease, what is read again, what has to leave. Keys are versions;
/// names are not known here. A plain class, owned by `adapters`, on whose thread everything is called.
class adapter_shelf {
 public:
  /// What the owner hears.
  struct listener {
    std::function<void()> changed;
    std::function<void(const adapter_version&)> evicted;
    std::function<void(const load_facts&)> read;

    /// Whether what a version contains is known; if not, it is told when the version was read.
    std::function<bool(const adapter_version&)> knows;
    std::function<void(const adapter_version&, std::shared_ptr<const adapter_contents>)> contains;

    /// The source of a version holds something else now.
    std::function<void(const adapter_version&, const error&)> source_changed;
  };

  /// `patience`: a wish that waited so long for room is overtaken by no other; 0: it may always be.
  adapter_shelf(adapters_actor::pointer self, executor_actor executor, std::vector<loader_actor> loaders,
                adapter_reads& reads, residency_options options, std::chrono::milliseconds patience,
                const clock_source& clock, listener tell);
  ~adapter_shelf();
  adapter_shelf(const adapter_shelf&) = delete;
  adapter_shelf& operator=(const adapter_shelf&) = delete;

  /// A lease, now or when the version is back in memory; calls for one version share one read.
  caf::result<lease_reply> acquire(const version_reference_ptr& wanted);

  /// A lease ended.
  void release(const adapter_version& version);

  /// A request wants the version from now on, or no longer: it is read ahead if that costs no other request
  /// its adapter, and goes last when room is needed.
  void want(const version_reference_ptr& wanted);
  void unwant(const adapter_version& version);

  /// Reads ahead, into free room only.
  void prefetch(const version_reference_ptr& wanted);

  /// Takes what was read for a name. `done` hears when it lies in memory or why it does not:
  /// `errc::out_of_memory` with `memory_in_use` (room comes later) or `too_large` (never).
  void put(packed_ptr packed, std::chrono::nanoseconds cost, std::function<void(result<void>)> done);

  /// Keeps a version in memory, brings it back if it is not there. `done` as of `put`.
  void pin(const version_reference_ptr& wanted, std::function<void(result<void>)> done);
  void unpin(const adapter_version& version);

  /// Takes a version out of memory that is there and not in use. `errc::out_of_memory`, reason
  /// `memory_in_use`, when a request, a load or a pin holds it.
  result<void> evict(const adapter_version& version);

  /// Nobody needs the version any more: it leaves now or with its last lease. `freed` hears the bytes once
  /// they are given back; 0 when it was not in memory.
  void drop(const adapter_version& version, std::function<void(std::uint64_t)> freed);

  /// How long the oldest wish has waited that has no room; nothing when all have.
  std::optional<std::chrono::nanoseconds> longest_wait() const;

  /// Versions that would leave room when their leases end.
  std::vector<adapter_version> leased() const;

  const residency& books() const noexcept { return books_; }

 private:
  using promise = caf::typed_response_promise<lease_reply>;
  using outcome = std::function<void(result<void>)>;

  /// Who wants a lease on a version that is not in memory.
  struct wishes {
    std::vector<promise> promises;
    time_point since;
  };

  lease_reply lease(const adapter_version& version);
  void bring_back(const version_reference_ptr& wanted, urgency how, room_from whose);
  void came_back(const version_reference_ptr& wanted, result<packed_load> read);
  void attach(packed_ptr packed, const version_reference_ptr& wanted);
  void not_attached(packed_ptr packed, const version_reference_ptr& wanted, error why);
  void shelve(packed_ptr packed);
  void arrived(const adapter_version& version);
  void gave_up(const adapter_version& version, const error& why);
  void stays(const adapter_version& version);
  void evict(const std::vector<adapter_version>& versions);
  void take_off(const adapter_version& version);
  void free(packed_ptr packed);
  void retry();
  bool starves() const;
  bool room_may_come() const;
  std::uint64_t now() const;

  adapters_actor::pointer self_;
  executor_actor executor_;
  std::vector<loader_actor> loaders_;
  adapter_reads& reads_;
  std::chrono::milliseconds patience_;
  const clock_source& clock_;
  time_point began_;
  listener tell_;
  residency books_;
  std::map<adapter_version, packed_ptr> packed_;
  std::map<adapter_version, wishes> waiting_;
  std::map<adapter_version, std::vector<outcome>> putting_;
  std::map<adapter_version, std::vector<std::function<void(std::uint64_t)>>> freeing_;
  std::set<adapter_version> pinned_;
  std::map<adapter_version, double> costs_;    ///< seconds of the latest read, of versions in memory
  std::vector<version_reference_ptr> parked_;  ///< the oldest first, until something leaves or comes to rest
  bool retrying_ = false;
};

}  // namespace lorica
