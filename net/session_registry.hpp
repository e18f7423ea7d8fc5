#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

namespace lorica {

class http_session;

/// The open connections: how many there are, and all of them at the end. Thread-safe; owned by the server.
class session_registry {
 public:
  /// `changed` hears the count after each change, in order, from any io thread; it must not call back.
  explicit session_registry(std::function<void(std::size_t)> changed) : changed_(std::move(changed)) {}

  /// False once `close_all` was called: the connection must end at once.
  bool add(const std::shared_ptr<http_session>& session);
  void remove(http_session* session);
  std::size_t count() const;

  /// Closes what is open and refuses what comes.
  void close_all();

 private:
  std::function<void(std::size_t)> changed_;
  mutable std::mutex changing_;  // guards the map and the flag; io threads add and remove
  std::unordered_map<http_session*, std::weak_ptr<http_session>> open_;
  bool closed_ = false;
};

}  // namespace lorica
