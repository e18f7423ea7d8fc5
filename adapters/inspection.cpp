#include "adapters/inspection.hpp"

#include <sched.h>
#include <time.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <exception>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

namespace lorica {
namespace {

/// Processor time of the calling thread.
std::chrono::nanoseconds own_time() noexcept {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

/// A thread that got a core is left there until the system's clock ticks, for some milliseconds, which those
/// who compute would wait for; so it offers the core itself before: a thread of the lowest priority after
/// each site, others when they have used some of it.
class courtesy {
 public:
  void make_way() noexcept {
    const auto now = own_time();
    if (now - offered_ < (lowest_ ? std::chrono::nanoseconds(0) : own_turn)) return;
    ::sched_yield();
    offered_ = now;
  }

 private:
  static constexpr std::chrono::microseconds own_turn{125};

  const bool lowest_ = ::sched_getscheduler(0) == SCHED_IDLE;
  std::chrono::nanoseconds offered_ = own_time();
};

/// Neighbours that one thread takes together: the threads stay near each other, so that a file is read from
/// front to back, as the system reads ahead.
constexpr std::size_t at_once = 8;

/// One adapter, while several threads are at it.
class running_inspection {
 public:
  running_inspection(std::size_t count, const std::stop_token& stop, const site_work& work)
      : stop_(stop),
        work_(work),
        end_(count),
        out_{std::vector<part_digest>(count), std::vector<module_coverage>(count)} {}

  /// Inspects the next sites until there are none. On every thread.
  void run() noexcept {
    try {
      sha256 hash;
      site_buffer buffer;
      courtesy others;
      for (auto first = next_.fetch_add(at_once); first < end_; first = next_.fetch_add(at_once))
        for (auto site = first; site < std::min(first + at_once, end_.load()); ++site) {
          if (auto ok = inspect_one(site, hash, buffer, others); !ok) give_up(site, ok.error());
          others.make_way();
        }
    } catch (...) {
      give_up(std::current_exception());
    }
  }

  /// When all threads have ended.
  result<inspected> finish() {
    if (thrown_) std::rethrow_exception(thrown_);
    if (why_) return *std::move(why_);
    return std::move(out_);
  }

 private:
  result<void> inspect_one(std::size_t site, sha256& hash, site_buffer& buffer, courtesy& others) {
    if (stop_.stop_requested()) return cancelled();
    auto found = work_.read(site, buffer);
    if (!found) return found.error();
    others.make_way();
    auto digest = digest_of(hash, **found, stop_);
    if (!digest) return cancelled();
    out_.digests[site] = *digest;
    others.make_way();
    out_.modules[site] = work_.measure ? measure(**found) : outline(**found);
    return work_.take ? work_.take(site, **found) : result<void>();
  }

  static error cancelled() { return fail(errc::cancelled, "the load of the adapter was cancelled"); }

  /// What lies before the site is still inspected: it may fail too, and then that is the reason.
  void give_up(std::size_t site, error why) {
    std::lock_guard held(mutex_);
    if (site >= end_) return;
    end_ = site;
    why_ = std::move(why);
  }

  void give_up(std::exception_ptr thrown) noexcept {
    std::lock_guard held(mutex_);
    end_ = 0;
    thrown_ = std::move(thrown);
  }

  const std::stop_token& stop_;
  const site_work& work_;
  std::atomic<std::size_t> next_ = 0;
  std::atomic<std::size_t> end_;  // sites from here on are not inspected; written under the lock
  inspected out_;                 // an element is written by the thread that has that site

  std::mutex mutex_;  // guards what follows
  std::optional<error> why_;
  std::exception_ptr thrown_;
};

}  // namespace

result<inspected> inspect(std::size_t count, unsigned threads, const std::stop_token& stop,
                          const site_work& work) {
  const auto used = std::clamp<std::size_t>(count, 1, threads);
  running_inspection all(count, stop, work);
  {
    std::vector<std::jthread> others;
    while (others.size() + 1 < used)
      others.emplace_back([&all] { all.run(); });
    all.run();
  }
  return all.finish();
}

}  // namespace lorica
