#include "tests/net/scripted_server.hpp"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <stdexcept>
#include <utility>

namespace lorica::testing {
namespace {

/// A socket bound to a free port of the loopback, and that port.
std::pair<int, std::uint16_t> bound_socket() {
  int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in where{};
  where.sin_family = AF_INET;
  where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof where;
  if (fd < 0 || ::bind(fd, reinterpret_cast<sockaddr*>(&where), size) != 0 ||
      ::getsockname(fd, reinterpret_cast<sockaddr*>(&where), &size) != 0)
    throw std::runtime_error("cannot bind");
  return {fd, ntohs(where.sin_port)};
}

}  // namespace

std::string scripted_peer::read() {
  auto whole = [this]() -> std::size_t {
    auto end = buffer_.find("\r\n\r\n");
    if (end == std::string::npos) return 0;
    auto field = buffer_.find("Content-Length: ");
    auto body = field < end ? std::stoul(buffer_.substr(field + 16)) : 0;
    return buffer_.size() >= end + 4 + body ? end + 4 + body : 0;
  };
  char bytes[16384];
  while (whole() == 0) {
    auto got = ::recv(fd_, bytes, sizeof bytes, 0);
    if (got <= 0) return {};
    buffer_.append(bytes, static_cast<std::size_t>(got));
  }
  auto size = whole();
  auto out = buffer_.substr(0, size);
  buffer_.erase(0, size);
  return out;
}

bool scripted_peer::write(std::string_view bytes) {
  while (!bytes.empty()) {
    auto sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

void scripted_peer::await_close() {
  char bytes[1024];
  while (::recv(fd_, bytes, sizeof bytes, 0) > 0) {
  }
}

scripted_server::scripted_server(script what) : what_(std::move(what)) {
  std::tie(listening_, port_) = bound_socket();
  if (::listen(listening_, 16) != 0) throw std::runtime_error("cannot listen");
  thread_ = std::thread([this] { serve(); });
}

scripted_server::~scripted_server() {
  {
    std::lock_guard hold(changing_);
    ended_ = true;
    ::shutdown(listening_, SHUT_RDWR);
    if (open_ >= 0) ::shutdown(open_, SHUT_RDWR);
  }
  thread_.join();
  ::close(listening_);
}

int scripted_server::connections() const {
  std::lock_guard hold(changing_);
  return connections_;
}

void scripted_server::serve() {
  for (;;) {
    int fd = ::accept4(listening_, nullptr, nullptr, SOCK_CLOEXEC);
    {
      std::lock_guard hold(changing_);
      if (ended_ || fd < 0) {
        if (fd >= 0) ::close(fd);
        return;
      }
      open_ = fd;
      ++connections_;
    }
    scripted_peer peer(fd);
    what_(peer);
    std::lock_guard hold(changing_);
    open_ = -1;
    ::close(fd);
  }
}

std::uint16_t closed_port() {
  auto [fd, port] = bound_socket();
  ::close(fd);
  return port;
}

}  // namespace lorica::testing
