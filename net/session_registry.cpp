#include "net/session_registry.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <array>

#include "net/http_session.hpp"

namespace lorica {

std::optional<connection_kind> session_registry::add(const std::shared_ptr<http_session>& session,
                                                     std::string address) {
  std::lock_guard hold(changing_);
  if (closed_ || open_.size() >= limits_.ordinary + limits_.reserved) return std::nullopt;
  auto& from_there = by_address_[address];
  if (limits_.each_address > 0 && from_there >= limits_.each_address) return std::nullopt;
  ++from_there;
  auto kind = ordinary_ < limits_.ordinary ? connection_kind::ordinary : connection_kind::reserved;
  if (kind == connection_kind::ordinary) ++ordinary_;
  open_.emplace(session.get(), entry{session, std::move(address), kind});
  changed_(open_.size());
  return kind;
}

void session_registry::remove(http_session* session) {
  std::lock_guard hold(changing_);
  auto found = open_.find(session);
  if (found == open_.end()) return;
  auto& [key, gone] = *found;
  if (auto there = by_address_.find(gone.address); --there->second == 0) by_address_.erase(there);
  if (gone.kind == connection_kind::ordinary) --ordinary_;
  open_.erase(found);
  // Under the lock: told out of order, an old count would stay the last one.
  changed_(open_.size());
}

std::size_t session_registry::count() const {
  std::lock_guard hold(changing_);
  return open_.size();
}

bool session_registry::has_room() const {
  std::lock_guard hold(changing_);
  return open_.size() < limits_.ordinary + limits_.reserved;
}

bool session_registry::is_pressed() const {
  std::lock_guard hold(changing_);
  return ordinary_ >= limits_.ordinary - limits_.ordinary / 4;
}

void session_registry::close_all() {
  std::vector<std::shared_ptr<http_session>> all;
  {
    std::lock_guard hold(changing_);
    closed_ = true;
    for (auto& [key, open] : open_)
      if (auto alive = open.session.lock()) all.push_back(std::move(alive));
  }
  for (auto& session : all)
    session->close_soon();
}

std::string address_group(const std::string& address) {
  std::array<unsigned char, 16> bytes{};
  if (inet_pton(AF_INET6, address.c_str(), bytes.data()) != 1) return address;
  constexpr std::array<unsigned char, 12> mapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (std::equal(mapped.begin(), mapped.end(), bytes.begin()))
    return inet_ntop(AF_INET, bytes.data() + mapped.size(), text.data(), text.size());
  std::fill(bytes.begin() + 8, bytes.end(), static_cast<unsigned char>(0));
  return inet_ntop(AF_INET6, bytes.data(), text.data(), text.size());
}

}  // namespace lorica
