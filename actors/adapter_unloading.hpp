#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "actors/adapter_world.hpp"

namespace lorica {

/// Unloads: the name is unknown at once; its requests run out, get some time, or end; then the bytes go back.
/// A plain class, owned by `adapters`, on whose thread everything is called.
class adapter_unloading {
 public:
  explicit adapter_unloading(adapter_world& world) : world_(world) {}

  /// Unloads a name. `done` hears the job when it is durable (`accepted`) or when the bytes are back
  /// (`ended`). An alias is removed, its target stays. What is unloaded already is a done job that changed
  /// nothing.
  result<adapter_job> begin(const adapter_unload& what, answer_when when, adapter_jobs::answer done);

  /// A request ended.
  void left(std::uint64_t stay);

  /// The time of an unload with a deadline is over; false when `number` means none.
  bool expire(std::uint64_t number);

 private:
  struct work {
    std::string job;
    std::set<std::uint64_t> stays;  ///< requests that have not ended
    std::set<std::uint64_t> told;   ///< of them, those that were told to end
    std::shared_ptr<const version_reference> meant;
    bool kept = false;  ///< durable
    std::uint64_t timer = 0;
  };

  void abort(work& w);
  void settle(std::string job);
  adapter_jobs::entry& job_of(const work& w) { return *world_.jobs.running(w.job); }

  adapter_world& world_;
  std::map<std::string, work> works_;                ///< by job
  std::multimap<std::uint64_t, std::string> waits_;  ///< stay -> jobs: a name may be unloaded twice
  std::map<std::uint64_t, std::string> deadlines_;   ///< timer -> job
};

}  // namespace lorica
