#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <stop_token>
#include <vector>

#include "adapters/hub_job.hpp"
#include "adapters/hub_options.hpp"
#include "core/clock.hpp"
#include "core/error.hpp"

namespace lorica {

/// One adapter to fetch.
struct hub_fetch {
  hub_source wanted;
  /// What the cache has of the revision is taken without asking whether it moved. A commit never moves, so it
  /// is not asked for anyway when the cache has it.
  bool cache_first = false;
  std::shared_ptr<hub_progress> progress;  ///< may be null
  std::stop_token stop;                    ///< ends the fetch as `errc::cancelled`
};

struct hub_ended {
  std::uint64_t number = 0;  ///< as `start` gave it
  result<hub_snapshot> outcome;
};

/// Fetches adapters from the Hub into the Hugging Face cache, many at a time over libcurl. It has no thread
/// of its own: one thread owns it and calls `run` again and again; nothing in it waits for longer than the
/// network may be waited for, so one download that stands still delays no other. A fetch that waits to try
/// again holds no transfer. Destroying it ends all transfers; what was fetched stays in the cache for the
/// next attempt.
///
/// Nothing goes through a proxy; only http and https are spoken; the token goes to the endpoint's scheme,
/// host and port, and no further; addresses that a redirect leads to are checked after their resolution and
/// used as checked: they may be inside a network only when the endpoint is there too.
///
/// Outcomes fail with `errc::unknown_adapter` (`hub_not_found`, `missing_file`), `errc::bad_adapter`
/// (`hub_gated`, `hub_unreachable`, `digest_mismatch`, `too_large`, `path_not_allowed`, `pickle_refused`,
/// `source_changed`), `errc::timeout` (`load_timeout`), `errc::io` (`cache_not_writable`), `errc::cancelled`
/// and `errc::invalid`. Texts hold no token, address, path or text of a library.
class hub_client {
 public:
  /// Fails with `errc::internal` when libcurl cannot be used. The clock outlives the client.
  static result<std::unique_ptr<hub_client>> make(hub_options options, const clock_source& clock);
  ~hub_client();
  hub_client(const hub_client&) = delete;
  hub_client& operator=(const hub_client&) = delete;

  /// Queues a fetch and gives it a number. Fails with `errc::overloaded` at `max_fetches`.
  result<std::uint64_t> start(hub_fetch fetch);

  /// Moves everything on, waits for the network at most `limit` when there is nothing to do, and gives the
  /// fetches that ended, each once. Returns early on `wake`, a stop request and when a fetch ends.
  std::vector<hub_ended> run(std::chrono::milliseconds limit);

  /// Lets a `run` that waits, or the next one, return. From any thread.
  void wake() noexcept;

  bool idle() const noexcept;

 private:
  struct implementation;
  explicit hub_client(std::unique_ptr<implementation> all);
  std::unique_ptr<implementation> all_;
};

}  // namespace lorica
