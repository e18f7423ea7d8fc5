#include "net/admission.hpp"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>

#include "net/drain_rate.hpp"

namespace lorica {

struct admission::counts {
  std::atomic<std::uint64_t> requests{0};
  std::atomic<std::uint64_t> prompt_bytes{0};
  std::atomic<std::uint64_t> activities{0};
  std::atomic<bool> draining{false};
  std::mutex waiting;  // guards nothing but the wait: a change to idle must not slip in before it
  std::condition_variable idle;
  time_source now;
  std::mutex estimating;  // guards the rate
  drain_rate rate;

  explicit counts(time_source clock) : now(std::move(clock)) {}

  bool empty() const noexcept { return requests == 0 && activities == 0; }

  void tell_if_empty() {
    if (!empty()) return;
    std::lock_guard hold(waiting);
    idle.notify_all();
  }
};

void admission::permit::release() noexcept {
  if (!all_) return;
  auto all = std::exchange(all_, nullptr);
  all->prompt_bytes -= bytes_;
  --all->requests;
  {
    std::lock_guard hold(all->estimating);
    all->rate.freed(all->now());
  }
  all->tell_if_empty();
}

void admission::activity::release() noexcept {
  if (!all_) return;
  auto all = std::exchange(all_, nullptr);
  --all->activities;
  all->tell_if_empty();
}

admission::admission(std::uint64_t max_requests, std::uint64_t max_prompt_bytes, time_source now)
    : all_(std::make_shared<counts>(std::move(now))),
      max_requests_(max_requests),
      max_prompt_bytes_(max_prompt_bytes) {}

result<admission::permit> admission::admit(std::uint64_t prompt_bytes) {
  if (draining()) return fail(errc::unavailable, "The server is shutting down");
  auto refused = [this] {
    std::lock_guard hold(all_->estimating);
    all_->rate.refused(all_->now());
    return fail(errc::overloaded, "Model is overloaded");
  };
  if (++all_->requests > max_requests_) {
    --all_->requests;
    return refused();
  }
  if ((all_->prompt_bytes += prompt_bytes) > max_prompt_bytes_) {
    all_->prompt_bytes -= prompt_bytes;
    --all_->requests;
    all_->tell_if_empty();
    return refused();
  }
  return permit(all_, prompt_bytes);
}

bool admission::full() const noexcept {
  return all_->requests >= max_requests_;
}

std::chrono::seconds admission::retry_after() {
  std::lock_guard hold(all_->estimating);
  return all_->rate.wait(all_->now());
}

admission::activity admission::begin_activity() {
  ++all_->activities;
  return activity(all_);
}

void admission::drain() noexcept {
  all_->draining = true;
}
bool admission::draining() const noexcept {
  return all_->draining;
}
std::uint64_t admission::admitted() const noexcept {
  return all_->requests;
}

std::uint64_t admission::active() const noexcept {
  return std::max<std::uint64_t>(all_->requests, all_->activities);
}

bool admission::wait_until_idle(std::chrono::milliseconds limit) {
  std::unique_lock hold(all_->waiting);
  return all_->idle.wait_for(hold, limit, [this] { return all_->empty(); });
}

}  // namespace lorica
