#pragma once

#include <condition_variable>
#include <cstddef>
#include <exception>
#include <mutex>
#include <stop_token>
#include <thread>
#include <utility>
#include <vector>

#include "adapters/coverage.hpp"
#include "adapters/digest.hpp"
#include "core/error.hpp"
#include "engine/adapter_weights.hpp"

namespace lorica {

/// What the sites of an adapter are found to be.
struct inspected {
  adapter_version version;
  std::vector<module_coverage> modules;  ///< in the order of the sites
};

/// Hashes and measures sites beside the thread that reads them, which takes as long as all else, in a bounded
/// number of buffers: what is at hand in a cache is used by all before it is written over. A thread of its
/// own hashes, in order; either thread measures when it has nothing else to do. Everything is called on one
/// thread, for sites 0, 1, …, `count` - 1.
class inspection {
 public:
  /// `buffers` >= 1; as many as sites, and all are kept.
  inspection(std::size_t count, std::size_t buffers, digest_form form, const std::stop_token& stop);
  ~inspection();
  inspection(const inspection&) = delete;
  inspection& operator=(const inspection&) = delete;

  /// The buffer for the next site, which holds an older one. `errc::cancelled` only.
  result<lora_site*> next();

  /// That site is complete.
  void have();

  /// To be called once, after the last site. `errc::cancelled` only.
  result<inspected> finish(const std::vector<module_copy>& copies);

  /// After `finish`, where there was a buffer for each: the sites.
  std::vector<lora_site> take_sites() noexcept { return std::move(buffers_); }

 private:
  using lock = std::unique_lock<std::mutex>;

  void run() noexcept;
  void hash_and_measure();
  bool measure_one(lock& held);
  result<void> check() const;
  bool free(std::size_t site) const noexcept;

  std::vector<lora_site> buffers_;  // site i lies in i modulo their number
  std::size_t count_;
  std::stop_token stop_;
  content_digest digest_;  // of the thread, until it has ended

  std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  std::size_t complete_ = 0;              // sites that were read
  std::size_t hashed_ = 0;                // sites in the digest
  std::size_t taken_ = 0;                 // sites that were measured, or are being so
  std::vector<bool> measured_;            // [count]
  std::vector<module_coverage> modules_;  // [count], an element is written by whoever measures that site
  bool given_up_ = false;                 // by the reader
  bool ended_early_ = false;              // by the thread: it was stopped, or an exception says why
  std::exception_ptr thrown_;

  std::thread thread_;
};

}  // namespace lorica
