#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "actors/adapter_world.hpp"
#include "adapters/adapter_origin.hpp"

namespace lorica {

/// Loads of names, from the wish to the moment when it is durable: read, put into memory if there is room,
/// write down, and only then let the name mean the new version. One at a time for each name; equal wishes are
/// one load. A plain class, owned by `adapters`, on whose thread everything is called.
class adapter_loading {
 public:
  /// A load and where its files are.
  struct order {
    adapter_load what;
    adapter_origin origin;
    std::optional<adapter_origin> else_from;
    bool dynamic = false;  ///< a request named it; the catalogue on disk does not hear of it
  };

  /// `settled` hears of every name whose meaning may have changed: requests that wait for it go on.
  adapter_loading(adapter_world& world, std::function<void(const std::string&)> settled)
      : world_(world), settled_(std::move(settled)) {}

  /// Starts or joins a load. The job, or why there is none; `done` (may be empty) hears the end of the job.
  result<adapter_job> begin(order what, adapter_jobs::answer done);

  /// True while a load of the name runs.
  bool running(const std::string& name) const { return running_.contains(name); }

  /// Ends the load of a name, and those that wait behind it, unless it is being written down.
  void stop(const std::string& name);

  /// True while a load of the name runs: `then` runs when it has ended, so that no older entry is written
  /// over the new one.
  bool defer(const std::string& name, std::function<void()> then);

  /// Ends one load. `errc::conflict` when it is too late.
  result<void> cancel(adapter_jobs::entry& job);

 private:
  struct work {
    order what;
    load_ticket ticket;
    std::string job;
    bool stopped = false;  ///< nobody joins it any more
    std::vector<std::function<void()>> after;
  };
  using work_ptr = std::shared_ptr<work>;

  result<void> check(const adapter_load& what) const;
  work_ptr latest_of(const std::string& name) const;
  result<void> start(const work_ptr& w);
  void read(const work_ptr& w);
  void arrived(const work_ptr& w, result<packed_load> read, const adapter_origin& origin);
  void put(const work_ptr& w, version_reference reference, packed_load read);
  void store(const work_ptr& w, version_reference reference);
  void commit(const work_ptr& w, version_reference reference);
  void give_up(const work_ptr& w, error why);
  void finish(const work_ptr& w);
  void next(const std::string& name);
  adapter_jobs::entry& job_of(const work& w) { return *world_.jobs.running(w.job); }

  adapter_world& world_;
  std::function<void(const std::string&)> settled_;
  std::map<std::string, work_ptr, std::less<>> running_;
  std::map<std::string, std::deque<work_ptr>, std::less<>> behind_;  ///< other sources of a name being loaded
};

}  // namespace lorica
