#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "actors/adapter_events.hpp"
#include "actors/adapter_jobs.hpp"
#include "actors/adapter_reads.hpp"
#include "actors/adapter_shelf.hpp"
#include "actors/adapter_users.hpp"
#include "actors/adapters.hpp"
#include "adapters/catalogue.hpp"

namespace lorica {

/// How often a name was asked for.
struct adapter_counts {
  std::uint64_t requests = 0;
  std::uint64_t hits = 0;  ///< found in memory
  std::uint64_t loads = 0;
  std::int64_t last_used = 0;  ///< seconds since the epoch
};

/// What the parts of `adapters` share: names, versions in memory, who uses them, and the way to whoever keeps
/// the catalogue. Owned by the actor, used on its thread.
class adapter_world {
 public:
  adapter_world(adapters_actor::pointer self, const adapters_parts& parts);

  std::int64_t seconds() const;       ///< since the epoch
  std::int64_t milliseconds() const;  ///< since the epoch

  /// Writes `change` down; `then` hears when it is durable. At once where nothing is kept.
  void keep(catalogue_change change, std::function<void(result<void>)> then);

  /// A name leaves without a trace, its counts included.
  void forget(const std::string& name);

  /// Unloaded names that made room in the catalogue leave its kept form too.
  void forget_dropped();

  /// A version lost a name or a user: without any it leaves memory. `freed` hears the bytes.
  void let_go(const adapter_version& version, std::function<void(std::uint64_t)> freed);
  void let_go(const adapter_version& version);

  /// While held so, a version without a name stays.
  void hold(const adapter_version& version) { ++held_[version]; }
  void unhold(const adapter_version& version);

  void emit(std::string_view kind, const std::string& name, std::optional<adapter_version> version = {},
            std::string because = {});

  /// What listings show of one name.
  adapter_status status(const catalogue_entry& entry) const;

  /// Everything that is read ends, for good.
  void stop_loads();

  /// A number that comes back as `expire` after `delay`.
  std::uint64_t next_timer(std::chrono::nanoseconds delay);

  /// A read of an adapter's files ended.
  void note_read(const load_facts& facts);

  /// The status shows what changed, soon or now.
  void changed();
  void publish();

  adapters_actor::pointer self;
  catalogue names;
  adapter_jobs jobs;
  adapter_events events;
  adapter_users users;
  adapter_reads reads;
  adapter_shelf shelf;
  std::map<std::string, adapter_counts, std::less<>> counts;
  std::map<adapter_version, std::shared_ptr<const adapter_contents>> contents;  ///< of what was read

 private:
  std::string any_name(const adapter_version& version) const;
  adapter_shelf::listener listen();
  void lose_source(const adapter_version& version, const error& why);

  const clock_source& clock_;
  time_point began_;
  std::int64_t wall_clock_;
  store_actor store_;
  telemetry_actor telemetry_;
  std::shared_ptr<status_board> board_;
  std::map<adapter_version, std::uint32_t> held_;
  std::vector<load_facts> loads_;
  std::uint64_t last_timer_ = 0;
  bool publishing_ = false;
};

/// `entry` as it is kept.
catalogue_record record_of(const catalogue_entry& entry);

/// The other way round.
catalogue_entry entry_of(catalogue_record record);

}  // namespace lorica
