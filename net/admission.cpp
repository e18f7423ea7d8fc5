#include "net/admission.hpp"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>

namespace lorica {

struct admission::counts {
  std::atomic<std::uint64_t> requests{0};
  std::atomic<std::uint64_t> prompt_bytes{0};
  std::atomic<std::uint64_t> activities{0};
  std::atomic<bool> draining{false};
  std::mutex waiting;  // guards nothing but the wait: a change to idle must not slip in before it
  std::condition_variable idle;

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
  all->tell_if_empty();
}

void admission::activity::release() noexcept {
  if (!all_) return;
  auto all = std::exchange(all_, nullptr);
  --all->activities;
  all->tell_if_empty();
}

admission::admission(std::uint64_t max_requests, std::uint64_t max_prompt_bytes)
    : all_(std::make_shared<counts>()), max_requests_(max_requests), max_prompt_bytes_(max_prompt_bytes) {}

result<admission::permit> admission::admit(std::uint64_t prompt_bytes) {
  if (draining()) return fail(errc::unavailable, "The server is shutting down");
  if (++all_->requests > max_requests_) {
    --all_->requests;
    return fail(errc::overloaded, "Model is overloaded");
  }
  // From here on the permit takes both counts back, also on refusal.
  all_->prompt_bytes += prompt_bytes;
  permit out(all_, prompt_bytes);
  if (all_->prompt_bytes > max_prompt_bytes_) return fail(errc::overloaded, "Model is overloaded");
  return out;
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
