#include "adapters/inspection.hpp"

#include <sched.h>

#include <algorithm>
#include <utility>

namespace lorica {
namespace {

/// A thread of the lowest priority that got a core is left there for some milliseconds, whoever wakes; so it
/// offers the core itself.
void make_way() noexcept {
  if (::sched_getscheduler(0) == SCHED_IDLE) ::sched_yield();
}

error cancelled() {
  return fail(errc::cancelled, "the load of the adapter was cancelled");
}

}  // namespace

inspection::inspection(std::size_t count, std::size_t buffers, digest_form form, const std::stop_token& stop)
    : buffers_(std::min(count, buffers)),
      count_(count),
      stop_(stop),
      digest_(form, count),
      measured_(count),
      modules_(count),
      thread_([this] { run(); }) {}

inspection::~inspection() {
  if (!thread_.joinable()) return;
  {
    std::lock_guard held(mutex_);
    given_up_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

/// Nobody needs what lies in the buffer of this site any more.
bool inspection::free(std::size_t site) const noexcept {
  if (site < buffers_.size()) return true;
  const auto older = site - buffers_.size();
  return hashed_ > older && measured_[older];
}

/// Measures the first site that nobody does yet; false where there is none.
bool inspection::measure_one(lock& held) {
  if (taken_ == complete_) return false;
  const auto site = taken_++;
  held.unlock();
  auto found = measure(buffers_[site % buffers_.size()]);
  held.lock();
  modules_[site] = found;
  measured_[site] = true;
  changed_.notify_all();
  return true;
}

/// Whether the thread goes on, or has done its part. Called with the lock or after the thread has ended.
result<void> inspection::check() const {
  if (thrown_) std::rethrow_exception(thrown_);
  if (ended_early_) return cancelled();
  return {};
}

result<lora_site*> inspection::next() {
  make_way();
  lock held(mutex_);
  const auto site = complete_;
  while (!free(site) && !ended_early_)
    if (!measure_one(held))
      changed_.wait(held, [&] { return free(site) || ended_early_ || taken_ != complete_; });
  if (auto ok = check(); !ok) return ok.error();
  return &buffers_[site % buffers_.size()];
}

void inspection::have() {
  {
    std::lock_guard held(mutex_);
    ++complete_;
  }
  changed_.notify_all();
}

void inspection::run() noexcept {
  std::exception_ptr thrown;
  try {
    hash_and_measure();
  } catch (...) {
    thrown = std::current_exception();
  }
  std::lock_guard held(mutex_);
  thrown_ = thrown;
  ended_early_ = thrown || hashed_ < count_;
  changed_.notify_all();
}

void inspection::hash_and_measure() {
  lock held(mutex_);
  while (hashed_ < count_ && !given_up_) {
    if (hashed_ == complete_) {
      if (!measure_one(held))
        changed_.wait(held, [this] { return hashed_ < complete_ || given_up_ || taken_ != complete_; });
      continue;
    }
    const auto& site = buffers_[hashed_ % buffers_.size()];
    held.unlock();
    const bool all = digest_.add(site, stop_);
    make_way();
    held.lock();
    if (!all) return;
    ++hashed_;
    changed_.notify_all();
  }
  while (!given_up_ && measure_one(held)) {
  }
}

result<inspected> inspection::finish(const std::vector<module_copy>& copies) {
  {
    lock held(mutex_);
    while (!ended_early_ && measure_one(held)) {
    }
  }
  thread_.join();
  if (auto ok = check(); !ok) return ok.error();
  if (!digest_.add(copies, stop_)) return cancelled();
  return inspected{digest_.finish(), std::move(modules_)};
}

}  // namespace lorica
