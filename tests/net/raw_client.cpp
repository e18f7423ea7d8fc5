#include "tests/net/raw_client.hpp"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <stdexcept>

namespace lorica::testing {

raw_client::raw_client(std::uint16_t port, int receive_buffer)
    : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  if (receive_buffer > 0) ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
  connect(port);
}

raw_client::raw_client(std::uint16_t port, const std::function<void()>& between)
    : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  between();
  connect(port);
}

void raw_client::connect(std::uint16_t port) {
  sockaddr_in where{};
  where.sin_family = AF_INET;
  where.sin_port = htons(port);
  where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  timeval limit{.tv_sec = 10, .tv_usec = 0};
  int one = 1;
  ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (::connect(fd_, reinterpret_cast<sockaddr*>(&where), sizeof where) != 0)
    throw std::runtime_error("cannot connect");
}

raw_client::~raw_client() {
  if (fd_ >= 0) ::close(fd_);
}

bool raw_client::send(std::string_view bytes) {
  while (!bytes.empty()) {
    auto sent = write_some(bytes);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

bool raw_client::post(std::string_view path, std::string_view body, std::string_view field_lines) {
  std::string text = "POST ";
  text.append(path).append(" HTTP/1.1\r\nHost: localhost\r\n").append(field_lines);
  if (field_lines.find("Content-Type") == field_lines.npos) text += "Content-Type: application/json\r\n";
  text.append("Content-Length: ").append(std::to_string(body.size())).append("\r\n\r\n").append(body);
  return send(text);
}

void raw_client::get(std::string_view path, std::string_view field_lines) {
  std::string text = "GET ";
  text.append(path).append(" HTTP/1.1\r\nHost: localhost\r\n").append(field_lines).append("\r\n");
  send(text);
}

bool raw_client::ask(std::string_view method, std::string_view path, std::string_view body,
                     std::string_view field_lines) {
  std::string text(method);
  text.append(" ").append(path).append(" HTTP/1.1\r\n").append(field_lines);
  if (field_lines.find("Host:") == field_lines.npos) text += "Host: localhost\r\n";
  if (!body.empty())
    text.append("Content-Type: application/json\r\nContent-Length: ").append(std::to_string(body.size())) +=
        "\r\n";
  return send(text.append("\r\n").append(body));
}

std::ptrdiff_t raw_client::write_some(std::string_view bytes) {
  return ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
}

std::ptrdiff_t raw_client::read_some(char* into, std::size_t size) {
  return ::recv(fd_, into, size, 0);
}

bool raw_client::readable(std::chrono::milliseconds limit) const {
  if (!buffer_.empty()) return true;
  pollfd one{.fd = fd_, .events = POLLIN, .revents = 0};
  return ::poll(&one, 1, static_cast<int>(limit.count())) > 0;
}

bool raw_client::sip(std::size_t count) {
  std::string bytes(count, '\0');
  return read_some(bytes.data(), count) > 0;
}

bool raw_client::fill() {
  char bytes[16384];
  errno = 0;
  auto got = read_some(bytes, sizeof bytes);
  stalled_ = got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
  if (got <= 0) return false;
  buffer_.append(bytes, static_cast<std::size_t>(got));
  return true;
}

bool raw_client::line(std::string& out) {
  std::size_t end = 0;
  while ((end = buffer_.find("\r\n")) == std::string::npos)
    if (!fill()) return false;
  out = buffer_.substr(0, end);
  buffer_.erase(0, end + 2);
  return true;
}

bool raw_client::take(std::size_t count, std::string& out) {
  while (buffer_.size() < count)
    if (!fill()) return false;
  out = buffer_.substr(0, count);
  buffer_.erase(0, count);
  return true;
}

raw_reply raw_client::read_head() {
  raw_reply reply;
  std::string text;
  if (!line(text) || text.size() < 12 || !text.starts_with("HTTP/1.1 ")) return reply;
  reply.status = std::stoi(text.substr(9, 3));
  while (line(text) && !text.empty()) {
    auto colon = text.find(": ");
    auto name = text.substr(0, colon);
    std::transform(name.begin(), name.end(), name.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    reply.fields[name] = text.substr(colon + 2);
  }
  return reply;
}

std::string raw_client::read_chunk() {
  std::string size, out, end;
  if (!line(size)) return {};
  auto count = std::stoul(size, nullptr, 16);
  if (!take(count, out) || !line(end)) return {};
  return out;
}

raw_reply raw_client::read(std::string_view method) {
  auto reply = read_head();
  if (method == "HEAD") {
    reply.complete = reply.status != 0;
    return reply;
  }
  if (auto length = reply.fields.find("content-length"); length != reply.fields.end()) {
    reply.complete = take(std::stoul(length->second), reply.body);
    return reply;
  }
  if (!reply.fields.contains("transfer-encoding")) {
    reply.complete = reply.status == 204;
    return reply;
  }
  std::string size, chunk, end;
  while (line(size)) {
    auto count = std::stoul(size, nullptr, 16);
    if (!take(count, chunk) || !line(end)) return reply;
    reply.complete = count == 0;
    if (reply.complete) return reply;
    reply.body += chunk;
    reply.chunks.push_back(chunk);
  }
  return reply;
}

bool raw_client::at_end() {
  return buffer_.empty() && !fill() && !stalled_;
}
void raw_client::half_close() {
  ::shutdown(fd_, SHUT_WR);
}

void raw_client::reset() {
  linger now{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  ::close(fd_);
  fd_ = -1;
}

raw_reply post(std::uint16_t port, std::string_view path, std::string_view body,
               std::string_view field_lines) {
  raw_client client(port);
  client.post(path, body, field_lines);
  return client.read();
}

raw_reply ask(std::uint16_t port, std::string_view method, std::string_view path, std::string_view body,
              std::string_view field_lines) {
  raw_client client(port);
  client.ask(method, path, body, field_lines);
  return client.read(method);
}

raw_reply get(std::uint16_t port, std::string_view path, std::string_view field_lines) {
  raw_client client(port);
  client.get(path, field_lines);
  return client.read();
}

}  // namespace lorica::testing
