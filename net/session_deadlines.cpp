#include "net/session_deadlines.hpp"

#include <algorithm>
#include <utility>

namespace lorica {

void session_deadlines::begin(std::weak_ptr<void> owner, std::function<void()> woken) {
  owner_ = std::move(owner);
  woken_ = std::move(woken);
}

void session_deadlines::set(deadline which, std::chrono::milliseconds from_now) {
  at(which) = clock::now() + from_now;
  arm();
}

bool session_deadlines::passed(deadline which) const noexcept {
  auto& due = due_[static_cast<std::size_t>(which)];
  return due && *due <= clock::now();
}

void session_deadlines::stop() {
  stopped_ = true;
  clear_all();
  timer_.cancel();
}

// The timer is moved only to an earlier time; a deadline that moved back finds it awake too soon, once.
void session_deadlines::arm() {
  std::optional<clock::time_point> first;
  for (auto& due : due_)
    if (due && (!first || *due < *first)) first = due;
  if (!first || (armed_ && *armed_ <= *first) || stopped_ || !woken_) return;
  armed_ = first;
  timer_.expires_at(*first);
  timer_.async_wait([this, owner = owner_.lock()](boost::system::error_code ec) {
    if (ec || !owner || stopped_) return;
    armed_.reset();
    auto now = clock::now();
    bool any = std::any_of(due_.begin(), due_.end(), [now](auto& due) { return due && *due <= now; });
    if (any) woken_();
    arm();
  });
}

}  // namespace lorica
