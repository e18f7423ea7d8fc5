#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace lorica::testing {

/// One connection of a `scripted_server`, on its thread.
class scripted_peer {
 public:
  explicit scripted_peer(int fd) : fd_(fd) {}

  /// Head and body (by Content-Length) of the next request; empty when the client has closed.
  std::string read();

  /// False when the client takes no more.
  bool write(std::string_view bytes);

  /// Returns when the client closes, or the server ends.
  void await_close();

 private:
  int fd_;
  std::string buffer_;
};

/// A server on a free port of the loopback that does what a script says, one connection after the other; the
/// script's return closes the connection. The destructor ends everything.
class scripted_server {
 public:
  using script = std::function<void(scripted_peer&)>;

  explicit scripted_server(script what);
  ~scripted_server();
  scripted_server(const scripted_server&) = delete;
  scripted_server& operator=(const scripted_server&) = delete;

  std::uint16_t port() const noexcept { return port_; }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  int connections() const;

 private:
  void serve();

  script what_;
  int listening_ = -1;
  std::uint16_t port_ = 0;
  mutable std::mutex changing_;  ///< guards the members below
  int open_ = -1;
  int connections_ = 0;
  bool ended_ = false;
  std::thread thread_;
};

/// A port of the loopback on which nobody listens.
std::uint16_t closed_port();

}  // namespace lorica::testing
