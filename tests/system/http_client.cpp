#include "tests/system/http_client.hpp"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <stdexcept>

namespace lorica::testing {
namespace {

/// A hang, which is none of the ends that a connection may have.
class stalled : public std::exception {
 public:
  const char* what() const noexcept override {
    return "the server sends nothing, for longer than the patience";
  }
};

}  // namespace

http_connection::http_connection(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in where{};
  where.sin_family = AF_INET;
  where.sin_port = htons(port);
  where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  timeval limit{.tv_sec = patience.count(), .tv_usec = 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  ::setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  if (fd_ < 0 || ::connect(fd_, reinterpret_cast<sockaddr*>(&where), sizeof where) != 0)
    throw std::runtime_error("cannot connect");
}

http_connection::~http_connection() {
  if (fd_ >= 0) ::close(fd_);
}

void http_connection::send(std::string_view bytes) {
  while (!bytes.empty()) {
    auto sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) throw std::runtime_error("cannot send");
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
}

void http_connection::request(std::string_view method, std::string_view path, std::string_view body,
                              std::string_view header_lines) {
  std::string text = std::string(method) + " " + std::string(path) + " HTTP/1.1\r\nHost: 127.0.0.1\r\n";
  text += header_lines;
  if (!body.empty())
    text += "Content-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) + "\r\n";
  send(text + "\r\n" + std::string(body));
}

void http_connection::reset() {
  linger now{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  ::close(fd_);
  fd_ = -1;
}

bool http_connection::fill() {
  char bytes[16384];
  auto got = ::recv(fd_, bytes, sizeof bytes, 0);
  if (got < 0 && errno == EAGAIN) throw stalled();
  if (got <= 0) return false;
  buffer_.append(bytes, static_cast<std::size_t>(got));
  return true;
}

std::string http_connection::line() {
  std::size_t end;
  while ((end = buffer_.find("\r\n")) == std::string::npos)
    if (!fill()) throw std::runtime_error("connection ended inside a line");
  auto out = buffer_.substr(0, end);
  buffer_.erase(0, end + 2);
  return out;
}

http_reply http_connection::read(const std::function<bool(std::string_view)>& on_data) {
  http_reply reply;
  auto status = line();
  if (status.size() < 12 || status.rfind("HTTP/1.", 0) != 0) throw std::runtime_error("not a status line");
  reply.status = std::stoi(status.substr(9, 3));
  for (auto text = line(); !text.empty(); text = line()) {
    auto colon = text.find(": ");
    if (colon == std::string::npos) throw std::runtime_error("not a header line");
    auto name = text.substr(0, colon);
    std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
    reply.headers[name] = text.substr(colon + 2);
  }
  // Takes `size` body bytes; false when the peer ended early or the caller has seen enough.
  auto take = [&](std::size_t size) {
    while (size > 0) {
      if (buffer_.empty() && !fill()) return false;
      auto piece = buffer_.substr(0, size);
      buffer_.erase(0, piece.size());
      size -= piece.size();
      reply.body += piece;
      if (on_data && !on_data(piece)) return false;
    }
    return true;
  };
  if (auto length = reply.headers.find("content-length"); length != reply.headers.end()) {
    reply.complete = take(std::stoul(length->second));
    return reply;
  }
  if (!reply.headers.contains("transfer-encoding")) {
    reply.complete = true;
    return reply;
  }
  try {
    while (true) {
      auto size = std::stoul(line(), nullptr, 16);
      if (size == 0) {
        line();
        reply.complete = true;
        return reply;
      }
      if (!take(size)) return reply;
      line();
    }
  } catch (const std::runtime_error&) {
    return reply;  // cut short: `complete` stays false
  }
}

http_reply exchange(std::uint16_t port, std::string_view method, std::string_view path, std::string_view body,
                    std::string_view header_lines) {
  http_connection c(port);
  c.request(method, path, body, header_lines);
  return c.read();
}

std::vector<std::string> events(std::string_view body) {
  std::vector<std::string> out;
  while (!body.empty()) {
    auto end = body.find("\n\n");
    auto event = body.substr(0, end);
    if (event.substr(0, 6) == "data: ") out.emplace_back(event.substr(6));
    if (end == std::string_view::npos) break;
    body.remove_prefix(end + 2);
  }
  return out;
}

}  // namespace lorica::testing
