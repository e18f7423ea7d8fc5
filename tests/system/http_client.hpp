#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace lorica::testing {

/// After how long without what it waits for a test gives up. A hang ends that way; nothing that works comes
/// near it, also on a busy machine and under sanitizers, so no verdict depends on time.
inline constexpr std::chrono::seconds patience{300};

/// A reply as it came: header names in lower case, chunked bodies joined.
struct http_reply {
  int status = 0;
  std::map<std::string, std::string> headers;
  std::string body;
  bool complete = false;  ///< the body ended the way its framing says
};

/// One blocking exchange per object over a plain socket; small on purpose, so that a test sees what a client
/// sees. Throws std::runtime_error when the connection fails, and another exception when nothing comes any
/// more.
class http_connection {
 public:
  explicit http_connection(std::uint16_t port);
  ~http_connection();
  http_connection(const http_connection&) = delete;
  http_connection& operator=(const http_connection&) = delete;

  /// Sends raw bytes.
  void send(std::string_view bytes);

  /// Sends a request with a JSON body (none when empty) and further header lines, each ending in CRLF.
  void request(std::string_view method, std::string_view path, std::string_view body = {},
               std::string_view header_lines = {});

  /// Reads one reply; `on_data` sees body bytes as they arrive and stops the reading by returning false.
  http_reply read(const std::function<bool(std::string_view)>& on_data = {});

  /// Drops the connection with a reset.
  void reset();

 private:
  bool fill();
  std::string line();

  int fd_ = -1;
  std::string buffer_;
};

/// Request and reply in one call.
http_reply exchange(std::uint16_t port, std::string_view method, std::string_view path,
                    std::string_view body = {}, std::string_view header_lines = {});

/// Payloads of the `data:` lines of an event stream.
std::vector<std::string> events(std::string_view body);

}  // namespace lorica::testing
