#include "net/session_registry.hpp"

#include "net/http_session.hpp"

namespace lorica {

bool session_registry::add(const std::shared_ptr<http_session>& session) {
  std::lock_guard hold(changing_);
  if (closed_) return false;
  open_.emplace(session.get(), session);
  changed_(open_.size());
  return true;
}

void session_registry::remove(http_session* session) {
  std::lock_guard hold(changing_);
  // Under the lock: told out of order, an old count would stay the last one.
  if (open_.erase(session) > 0) changed_(open_.size());
}

std::size_t session_registry::count() const {
  std::lock_guard hold(changing_);
  return open_.size();
}

void session_registry::close_all() {
  std::vector<std::shared_ptr<http_session>> all;
  {
    std::lock_guard hold(changing_);
    closed_ = true;
    for (auto& [key, session] : open_)
      if (auto alive = session.lock()) all.push_back(std::move(alive));
  }
  for (auto& session : all)
    session->close_soon();
}

}  // namespace lorica
