#include "tests/adapters/hub_server.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <stdexcept>

#include "core/ids.hpp"
#include "core/sha1.hpp"
#include "core/sha256.hpp"

namespace lorica::testing {
namespace {

using namespace std::chrono_literals;

int listen_on(const char* address, std::uint16_t& port) {
  int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  ::inet_pton(AF_INET, address, &at.sin_addr);
  socklen_t size = sizeof at;
  auto any = reinterpret_cast<sockaddr*>(&at);
  if (listener < 0 || ::bind(listener, any, size) != 0 || ::listen(listener, 128) != 0 ||
      ::getsockname(listener, any, &size) != 0)
    throw std::runtime_error("no fake Hub");
  port = ntohs(at.sin_port);
  return listener;
}

bool send_all(int socket, std::string_view bytes) {
  while (!bytes.empty()) {
    auto sent = ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

std::string field_of(const std::string& head, const std::string& name) {
  auto at = head.find("\r\n" + name + ": ");
  if (at == std::string::npos) return {};
  at += name.size() + 4;
  return head.substr(at, head.find("\r\n", at) - at);
}

std::string decoded(const std::string& text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    out += static_cast<char>(std::stoi(text.substr(i + 1, 2), nullptr, 16));
    i += 2;
  }
  return out;
}

hub_answer failure(int status, const std::string& code) {
  hub_answer out;
  out.status = status;
  if (!code.empty()) out.fields = {{"X-Error-Code", code}};
  return out;
}

hub_answer json(std::string body) {
  hub_answer out;
  out.fields = {{"Content-Type", "application/json"}};
  out.body = std::move(body);
  return out;
}

}  // namespace

std::string hub_server::sha256_of(const std::string& content) {
  sha256 hash;
  hash.update(content);
  return adapter_version{hash.finish()}.hex();
}

std::string hub_server::git_oid_of(const std::string& content) {
  sha1 hash;
  hash.update("blob " + std::to_string(content.size()) + std::string(1, '\0') + content);
  std::string out;
  for (auto byte : hash.finish()) {
    out += "0123456789abcdef"[byte >> 4];
    out += "0123456789abcdef"[byte & 15];
  }
  return out;
}

hub_server::hub_server() {
  const char* addresses[] = {"127.0.0.1", "127.0.0.2"};
  for (int i = 0; i < 2; ++i) {
    listeners_[i] = listen_on(addresses[i], ports_[i]);
    std::lock_guard lock(guard_);
    threads_.emplace_back([this, i] { accept_at(listeners_[i], i == 1); });
  }
}

hub_server::~hub_server() {
  {
    std::lock_guard lock(guard_);
    stopping_ = true;
    for (int socket : sockets_)
      ::shutdown(socket, SHUT_RDWR);
    for (int listener : listeners_)
      ::shutdown(listener, SHUT_RDWR);
  }
  changed_.notify_all();
  // No thread is added once the accepting ones, which come first, have ended.
  for (auto& thread : threads_)
    thread.join();
  for (int socket : sockets_)
    ::close(socket);
  for (int listener : listeners_)
    ::close(listener);
}

void hub_server::file(const std::string& id, const std::string& name, const std::string& bytes, bool large) {
  std::lock_guard lock(guard_);
  auto& r = repositories_[id];
  r.commits[r.commit][name] = {bytes, large};
}

void hub_server::move(const std::string& id, char digit) {
  std::lock_guard lock(guard_);
  repositories_[id].commit = std::string(40, digit);
}

void hub_server::page_size(std::size_t entries) {
  std::lock_guard lock(guard_);
  page_size_ = entries;
}

void hub_server::rule(hub_rule rule) {
  std::lock_guard lock(guard_);
  rule_ = std::move(rule);
}

std::vector<hub_call> hub_server::calls() const {
  std::lock_guard lock(guard_);
  return calls_;
}

std::size_t hub_server::count(std::string_view part, std::string_view method) const {
  auto all = calls();
  return static_cast<std::size_t>(std::count_if(all.begin(), all.end(), [&](const hub_call& call) {
    return call.target.find(part) != std::string::npos && (method.empty() || call.method == method);
  }));
}

bool hub_server::wait_held(std::size_t bodies) {
  std::unique_lock lock(guard_);
  return changed_.wait_for(lock, 10s, [&] { return held_ >= bodies; });
}

void hub_server::release() {
  {
    std::lock_guard lock(guard_);
    released_ = true;
  }
  changed_.notify_all();
}

void hub_server::accept_at(int listener, bool at_other) {
  for (;;) {
    int socket = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    std::lock_guard lock(guard_);
    if (socket < 0 || stopping_) {
      if (socket >= 0) ::close(socket);
      return;
    }
    int on = 1;  // heads and bodies are sent apart
    ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    sockets_.push_back(socket);
    threads_.emplace_back([this, socket, at_other] { serve(socket, at_other); });
  }
}

void hub_server::serve(int socket, bool at_other) {
  std::string pending;
  char bytes[4096];
  for (;;) {
    auto end = pending.find("\r\n\r\n");
    if (end == std::string::npos) {
      auto got = ::recv(socket, bytes, sizeof bytes, 0);
      if (got <= 0) break;
      pending.append(bytes, static_cast<std::size_t>(got));
      continue;
    }
    auto head = pending.substr(0, end + 2);
    pending.erase(0, end + 4);
    auto space = head.find(' ');
    hub_call call{head.substr(0, space), head.substr(space + 1, head.find(' ', space + 1) - space - 1), "",
                  "", at_other};
    // Field names: libcurl sends them as it was told to, others in lower case.
    call.authorization = field_of(head, "Authorization") + field_of(head, "authorization");
    call.range = field_of(head, "Range") + field_of(head, "range");
    std::optional<hub_answer> out;
    {
      std::lock_guard lock(guard_);
      calls_.push_back(call);
      if (rule_) out = rule_(call);
      if (!out) out = answer(call);
    }
    if (!send_answer(socket, call, *out)) break;
  }
  ::shutdown(socket, SHUT_RDWR);
}

bool hub_server::send_answer(int socket, const hub_call& call, const hub_answer& answer) {
  std::string head = "HTTP/1.1 " + std::to_string(answer.status) + " Answer\r\n";
  for (auto& [name, value] : answer.fields)
    head += name + ": " + value + "\r\n";
  head += "Content-Length: " + std::to_string(answer.length.value_or(answer.body.size())) + "\r\n\r\n";
  if (!send_all(socket, head)) return false;
  if (call.method == "HEAD") return true;
  std::string_view body = answer.body;
  if (answer.reset_after) {
    send_all(socket, body.substr(0, *answer.reset_after));
    return false;
  }
  if (answer.hold_after) {
    send_all(socket, body.substr(0, *answer.hold_after));
    body.remove_prefix(*answer.hold_after);
    std::unique_lock lock(guard_);
    ++held_;
    changed_.notify_all();
    changed_.wait(lock, [&] { return released_ || stopping_; });
    --held_;
  }
  return send_all(socket, body) && answer.length.value_or(answer.body.size()) == answer.body.size();
}

hub_answer hub_server::answer(const hub_call& call) const {
  auto path = decoded(call.target.substr(0, call.target.find('?')));
  if (call.at_other || path.starts_with("/lfs/")) return large_file(call);
  for (auto& [id, r] : repositories_) {
    auto rest = [&](const std::string& prefix) -> std::optional<std::string> {
      if (!path.starts_with(prefix)) return std::nullopt;
      return path.substr(prefix.size());
    };
    if (auto wanted = rest("/api/models/" + id + "/revision/")) return revision(r, id, *wanted);
    if (auto wanted = rest("/api/models/" + id + "/tree/")) return listing(r, call.target, *wanted);
    if (auto wanted = rest("/" + id + "/resolve/")) {
      auto slash = wanted->find('/');
      return resolve(r, wanted->substr(0, slash), wanted->substr(slash + 1), call);
    }
  }
  return failure(call.authorization.empty() ? 401 : 404, "RepoNotFound");
}

hub_answer hub_server::revision(const repository& r, const std::string& id,
                                const std::string& revision) const {
  auto commit = revision == "main" ? r.commit : revision;
  if (!r.commits.contains(commit)) return failure(404, "RevisionNotFound");
  return json("{\"_id\":\"1\",\"id\":\"" + id + "\",\"sha\":\"" + commit +
              "\",\"private\":false,\"tags\":[],\"downloads\":0,\"likes\":0,\"siblings\":[]}");
}

hub_answer hub_server::listing(const repository& r, const std::string& target,
                               const std::string& revision) const {
  auto found = r.commits.find(revision == "main" ? r.commit : revision);
  if (found == r.commits.end()) return failure(404, "RevisionNotFound");
  std::size_t first = 0;
  if (auto cursor = target.find("cursor="); cursor != std::string::npos)
    first = std::stoul(target.substr(cursor + 7));
  std::string body;
  auto at = std::next(found->second.begin(), static_cast<std::ptrdiff_t>(first));
  for (std::size_t n = 0; n < page_size_ && at != found->second.end(); ++n, ++at) {
    auto& [name, file] = *at;
    auto size = std::to_string(file.bytes.size());
    body += body.empty() ? "[" : ",";
    body += "{\"type\":\"file\",\"path\":\"" + name + "\",\"size\":" + size + ",\"oid\":\"";
    body += git_oid_of(file.large ? "pointer to " + name : file.bytes) + "\"";
    if (file.large)
      body +=
          ",\"lfs\":{\"oid\":\"" + sha256_of(file.bytes) + "\",\"size\":" + size + ",\"pointerSize\":130}";
    body += "}";
  }
  auto out = json((body.empty() ? "[" : body) + "]");
  if (at != found->second.end())
    out.fields.push_back({"Link", "<" + url() + target.substr(0, target.find('?')) +
                                      "?cursor=" + std::to_string(first + page_size_) + ">; rel=\"next\""});
  return out;
}

hub_answer hub_server::resolve(const repository& r, const std::string& revision, const std::string& name,
                               const hub_call& call) const {
  auto commit = revision == "main" ? r.commit : revision;
  auto found = r.commits.find(commit);
  if (found == r.commits.end()) return failure(404, "RevisionNotFound");
  auto file = found->second.find(name);
  if (file == found->second.end()) return failure(404, "EntryNotFound");
  hub_answer out;
  out.fields = {{"X-Repo-Commit", commit}};
  auto& bytes = file->second.bytes;
  if (file->second.large) {
    auto sha = sha256_of(bytes);
    out.status = 302;
    out.fields.push_back({"X-Linked-Etag", "\"" + sha + "\""});
    out.fields.push_back({"X-Linked-Size", std::to_string(bytes.size())});
    out.fields.push_back({"Location", other_url() + "/lfs/" + sha + "?signature=secret"});
    return out;
  }
  out.fields.push_back({"ETag", "\"" + git_oid_of(bytes) + "\""});
  out.body = bytes;
  if (call.range.empty()) return out;
  auto from = std::stoul(call.range.substr(6));
  out.status = 206;
  out.body = bytes.substr(from);
  out.fields.push_back({"Content-Range", "bytes " + std::to_string(from) + "-" +
                                             std::to_string(bytes.size() - 1) + "/" +
                                             std::to_string(bytes.size())});
  return out;
}

hub_answer hub_server::large_file(const hub_call& call) const {
  auto sha = call.target.substr(5, 64);
  for (auto& [id, r] : repositories_)
    for (auto& [commit, files] : r.commits)
      for (auto& [name, file] : files) {
        if (!file.large || sha256_of(file.bytes) != sha) continue;
        hub_answer out;
        out.body = file.bytes;
        if (call.range.empty()) return out;
        auto from = std::stoul(call.range.substr(6));
        out.status = 206;
        out.body = file.bytes.substr(from);
        auto size = std::to_string(file.bytes.size());
        out.fields = {{"Content-Range", "bytes " + std::to_string(from) + "-" +
                                            std::to_string(file.bytes.size() - 1) + "/" + size}};
        return out;
      }
  return failure(404, "");
}

}  // namespace lorica::testing
