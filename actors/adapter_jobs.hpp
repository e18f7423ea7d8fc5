#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "actors/load_progress.hpp"
#include "core/adapter_service.hpp"

namespace lorica {

/// The loads and unloads that run, and the latest that ended, with everybody who waits for them. A plain
/// class, owned by `adapters`; time is handed in.
class adapter_jobs {
 public:
  using answer = adapter_service::answer<adapter_job>;

  /// `nonce` makes ids of this process differ from those of earlier ones. Keeps `max_ended` ended jobs.
  explicit adapter_jobs(std::string nonce, std::size_t max_ended = 1000)
      : nonce_(std::move(nonce)), max_ended_(max_ended) {}
  ~adapter_jobs();
  adapter_jobs(const adapter_jobs&) = delete;
  adapter_jobs& operator=(const adapter_jobs&) = delete;

  /// One job; its address is stable while it runs.
  struct entry {
    adapter_job facts;
    std::stop_source stop;                    ///< asked by `cancel`
    std::shared_ptr<load_progress> progress;  ///< of a load, written by whoever works on it
    std::vector<answer> waiting;              ///< hear of the end
    bool committed = false;                   ///< past the point of cancelling
  };

  entry& begin(job_kind kind, std::string name, std::string source, std::int64_t now);

  /// A job that has ended already: a request that changed nothing.
  adapter_job record(adapter_job facts, std::int64_t now);

  /// Null when it does not run.
  entry* running(std::string_view id);

  /// Running or ended; as of now.
  result<adapter_job> find(std::string_view id) const;

  /// By order of begin.
  std::vector<adapter_job> list() const;

  /// As a caller sees it now.
  static adapter_job shown(const entry& e);

  /// The job ended; `e` is gone afterwards. Everybody who waits hears of it: a failure as an error.
  void end(entry& e, job_state how, std::int64_t now);
  void fail(entry& e, error why, std::int64_t now);

  /// The server ends: everybody who waits hears `errc::unavailable`.
  void break_all();

  /// Every load is asked to stop.
  void stop_all();

  std::size_t running() const noexcept { return running_.size(); }

 private:
  std::string next_id();
  void keep(adapter_job facts);

  std::string nonce_;
  std::size_t max_ended_;
  std::uint64_t last_ = 0;
  std::map<std::string, std::unique_ptr<entry>, std::less<>> running_;
  std::map<std::string, adapter_job, std::less<>> ended_;
  std::deque<std::string> order_;  ///< of the ended, oldest first
};

}  // namespace lorica
