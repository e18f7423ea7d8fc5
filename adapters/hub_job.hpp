#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "adapters/hub_blob.hpp"
#include "adapters/hub_listing.hpp"
#include "adapters/hub_options.hpp"
#include "adapters/hub_reply.hpp"
#include "adapters/hub_repository.hpp"
#include "core/clock.hpp"
#include "core/error.hpp"
#include "core/shown.hpp"

namespace lorica {

enum class hub_stage : std::uint8_t { queued, asking, downloading, ended };

/// How far a fetch is. Written by the hub's thread, read by any.
struct hub_progress {
  std::atomic<hub_stage> stage{hub_stage::queued};
  std::atomic<std::uint64_t> bytes{0};        ///< of the adapter's files, also those of earlier attempts
  std::atomic<std::uint64_t> total_bytes{0};  ///< 0: not known yet
};

/// What came of a fetch.
struct hub_snapshot {
  std::string directory;  ///< the snapshot in the cache, links resolved
  std::string commit;     ///< 40 digits
  bool asked = false;     ///< the Hub said that this is the revision now; otherwise the cache did
};

/// One request to the Hub or to where it redirected.
struct hub_request {
  hub_url url;
  bool head = false;
  bool with_token = false;  ///< only ever true for the endpoint's own origin
  bool at_endpoint = true;  ///< the address may be any; otherwise it must be one that redirects may lead to
  std::uint64_t from = 0;   ///< first byte wanted
};

/// How a transfer ended.
enum class hub_outcome : std::uint8_t {
  complete,         ///< the reply came whole
  broken,           ///< connection refused, lost or cut off, or its host unknown
  cut,              ///< the job wanted it to end
  refused_address,  ///< the address is none that may be asked
  untrusted,        ///< the certificate does not prove the host
};

/// The fetch of one adapter as a state machine without sockets: says what to ask, is told what came, writes
/// the cache. Owned by `hub_client` on its thread; tests drive it by hand. Time is handed in.
///
/// Revision -> listing -> for each file: HEAD, lock, what is there already, GET, digest, link -> reference.
class hub_job {
 public:
  using time_point = clock_source::time_point;

  enum class state : std::uint8_t {
    ready,         ///< `request` waits for a transfer; `begin` starts it
    transferring,  ///< `on_head`, `on_body` and `on_end` are expected
    working,       ///< `work` has a slice of disk work to do
    waiting,       ///< for a time: `tick`
    ended,         ///< `take_result`
  };

  hub_job(const hub_options& options, hub_source wanted, bool cache_first,
          std::shared_ptr<hub_progress> progress, time_point now);

  state now_in() const noexcept { return state_; }
  const hub_request& request() const noexcept { return request_; }

  void begin(time_point now);
  void work(time_point now);

  /// Status line and fields are complete. False: cut the transfer.
  bool on_head(const hub_head& head, time_point now);
  /// A piece of the body. False: cut the transfer.
  bool on_body(std::span<const std::byte> bytes, time_point now);
  void on_end(hub_outcome outcome, time_point now);

  /// Lets time pass: ends waits and what takes too long. False: cut the transfer.
  bool tick(time_point now);
  /// When `tick` should be called at the latest.
  time_point deadline() const noexcept;

  /// Ends the job in any state, as cancelled; what was fetched stays for the next attempt.
  void cancel();

  result<hub_snapshot> take_result();

 private:
  enum class step : std::uint8_t { revision, listing, head, lock, take_up, body };

  // What leads to the next request.
  void start();
  void ask_revision();
  void ask_page(hub_url url);
  void list_files();
  void next_file();
  void ask_head();
  void try_lock(time_point now);
  void take_up();
  void ask_body();
  void settle();
  void keep_file();
  void finish(bool asked);
  void ask(hub_url url, bool head);
  hub_url at_endpoint(const std::string& path) const;
  hub_url resolve_url() const;

  // What replies mean.
  void end_of_reply(hub_outcome outcome, time_point now);
  void redirect(time_point now);
  bool may_redirect(const hub_url& to) const noexcept;
  bool describes_file() const;
  error bad_redirect() const;
  void refuse_status(time_point now);
  void take_revision();
  void take_page();
  void take_head();
  bool begin_body(time_point now);
  void end_of_body(hub_outcome outcome, time_point now);

  void retry(error why, time_point now, std::optional<std::chrono::seconds> wish = {});
  void wait_until(time_point when);
  void end(result<hub_snapshot> outcome);
  bool use_cache();
  bool in_cache(const std::string& commit) const;
  void show_progress();
  error unreachable(std::string why) const;
  error about_this(error why) const;
  const hub_file& file() const { return files_[at_]; }
  std::string file_name() const { return shown(file().name); }

  const hub_options& options_;
  hub_source wanted_;
  bool cache_first_;
  std::shared_ptr<hub_progress> progress_;
  hub_repository repository_;
  time_point ends_at_;

  state state_ = state::working;
  step step_ = step::revision;
  hub_request request_;
  hub_request asked_;  // the same before redirects
  std::string commit_;
  hub_choice choice_;
  std::string first_page_;
  std::uint32_t pages_ = 0;
  std::vector<hub_file> files_;
  std::size_t at_ = 0;  // of files_
  std::uint64_t bytes_before_ = 0;
  hub_expectation expectation_;
  std::optional<hub_url> location_;
  std::unique_ptr<hub_blob> blob_;
  bool from_before_ = false;  // the blob holds bytes of an earlier fetch

  // Of the request under way.
  unsigned attempts_ = 0;
  unsigned redirects_ = 0;
  std::uint64_t size_at_attempt_ = 0;
  bool has_head_ = false;
  bool takes_body_ = false;
  hub_head head_;
  std::string body_;
  std::uint64_t ignored_ = 0;       // bytes of a body that nobody reads
  std::optional<error> broken_by_;  // why the transfer is cut, when a retry may help
  time_point reply_by_;
  time_point window_ends_;
  std::uint64_t window_bytes_ = 0;

  time_point wakes_at_;
  std::optional<result<hub_snapshot>> result_;
};

}  // namespace lorica
