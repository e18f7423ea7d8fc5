#include "net/session_registry.hpp"

#include "net/http_session.hpp"

namespace lorica {

bool session_registry::add(const std::shared_ptr<http_session>& session) {
  std::size_t now = 0;
  {
    std::lock_guard hold(changing_);
    if (closed_) return false;
    open_.emplace(session.get(), session);
    now = open_.size();
  }
  changed_(now);
  return true;
}

void session_registry::remove(http_session* session) {
  std::size_t now = 0;
  {
    std::lock_guard hold(changing_);
    if (open_.erase(session) == 0) return;
    now = open_.size();
  }
  changed_(now);
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
