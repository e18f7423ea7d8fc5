#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <utility>

#include "core/error.hpp"

namespace lorica {

/// What is inside the server: requests that wait or run, bytes of their prompts, and answers not yet written.
/// Counts without a lock; what estimates when a place comes free has one. Permits may outlive it.
class admission {
  struct counts;

 public:
  /// A request's place. Gives it back when destroyed or `release`d.
  class permit {
   public:
    permit() = default;
    permit(permit&& other) noexcept : all_(std::move(other.all_)), bytes_(other.bytes_) {}
    permit& operator=(permit&& other) noexcept {
      release();
      all_ = std::move(other.all_);
      bytes_ = other.bytes_;
      return *this;
    }
    ~permit() { release(); }
    void release() noexcept;

   private:
    friend class admission;
    permit(std::shared_ptr<counts> all, std::uint64_t bytes) : all_(std::move(all)), bytes_(bytes) {}
    std::shared_ptr<counts> all_;
    std::uint64_t bytes_ = 0;
  };

  /// Stands for an answer until it is written.
  class activity {
   public:
    activity() = default;
    activity(activity&& other) noexcept : all_(std::move(other.all_)) {}
    activity& operator=(activity&& other) noexcept {
      release();
      all_ = std::move(other.all_);
      return *this;
    }
    ~activity() { release(); }
    void release() noexcept;

   private:
    friend class admission;
    explicit activity(std::shared_ptr<counts> all) : all_(std::move(all)) {}
    std::shared_ptr<counts> all_;
  };

  /// What tells the time; it may be asked as long as there is a permit.
  using time_source = std::function<std::chrono::steady_clock::time_point()>;

  /// Limits: requests, and bytes of all prompts together.
  admission(std::uint64_t max_requests, std::uint64_t max_prompt_bytes,
            time_source now = std::chrono::steady_clock::now);

  /// A place, or `errc::overloaded` at a limit, or `errc::unavailable` after `drain`.
  result<permit> admit(std::uint64_t prompt_bytes);

  /// True while a request would be refused for the number of those inside.
  bool full() const noexcept;

  /// When a refused client should come back, by how fast places come free: 1 to 60 seconds.
  std::chrono::seconds retry_after();

  activity begin_activity();

  /// Nobody is admitted any more.
  void drain() noexcept;
  bool draining() const noexcept;

  /// Requests with a permit.
  std::uint64_t admitted() const noexcept;

  /// Answers that are not complete; a request counts while it has a permit or an activity.
  std::uint64_t active() const noexcept;

  /// Waits until there is neither permit nor activity, at most `limit`.
  bool wait_until_idle(std::chrono::milliseconds limit);

 private:
  std::shared_ptr<counts> all_;
  std::uint64_t max_requests_;
  std::uint64_t max_prompt_bytes_;
};

}  // namespace lorica
