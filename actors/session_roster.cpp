#include "actors/session_roster.hpp"

#include <caf/actor_cast.hpp>
#include <caf/send.hpp>

#include "actors/payloads.hpp"

namespace lorica {

std::shared_ptr<const session_roster::place> session_roster::enter() {
  std::lock_guard hold(mutex_);
  if (closed_) return nullptr;
  auto id = next_++;
  sessions_.emplace(id, nullptr);
  size_.store(sessions_.size(), std::memory_order_relaxed);
  return std::make_shared<const place>(shared_from_this(), id);
}

void session_roster::attach(std::uint64_t id, const session_actor& session) {
  error_ptr ended;
  {
    std::lock_guard hold(mutex_);
    auto found = sessions_.find(id);
    if (found == sessions_.end()) return;  // it has already ended
    found->second = caf::actor_cast<caf::weak_actor_ptr>(session);
    ended = ended_;
  }
  if (ended) caf::anon_send(session, atom::failed::value, ended);
}

void session_roster::close() {
  std::lock_guard hold(mutex_);
  closed_ = true;
}

void session_roster::end_all(error_ptr why) {
  {
    std::lock_guard hold(mutex_);
    closed_ = true;
    ended_ = why;
  }
  for (auto& session : remaining())
    caf::anon_send(caf::actor_cast<session_actor>(session), atom::failed::value, why);
}

std::vector<caf::strong_actor_ptr> session_roster::remaining() {
  std::vector<caf::strong_actor_ptr> out;
  std::lock_guard hold(mutex_);
  for (auto& [id, session] : sessions_)
    if (auto strong = session.lock()) out.push_back(std::move(strong));
  return out;
}

bool session_roster::wait_empty(std::chrono::milliseconds limit, std::stop_token stop) {
  std::unique_lock hold(mutex_);
  return left_.wait_for(hold, stop, limit, [this] { return sessions_.empty(); });
}

void session_roster::leave(std::uint64_t id) {
  {
    std::lock_guard hold(mutex_);
    sessions_.erase(id);
    size_.store(sessions_.size(), std::memory_order_relaxed);
  }
  left_.notify_all();
}

}  // namespace lorica
