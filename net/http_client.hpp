#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/error.hpp"

namespace lorica {

/// Whose certificate the client takes.
enum class server_trust : std::uint8_t {
  verified,  ///< of the system's or the given authorities, for the server's name
  anybody,   ///< any: who is in between can read and change everything
};

struct http_client_options {
  std::string url = {};      ///< `http[s]://host[:port][/prefix]`
  std::string ca_file = {};  ///< PEM file of authorities in place of the system's
  server_trust trust = server_trust::verified;
  std::string key = {};                       ///< sent as bearer; never part of an error. Empty: none
  std::chrono::milliseconds timeout{10'000};  ///< for the connection, and for a whole plain reply
  std::chrono::milliseconds silence{60'000};  ///< the longest pause inside a stream
  std::size_t most_bytes = 64 << 20;          ///< of a plain reply's body
  std::size_t longest_line = 1 << 20;         ///< of a stream, in bytes
};

struct client_request {
  std::string_view method = "GET";
  std::string target;     ///< path and query, percent-encoded
  std::string body = {};  ///< JSON; empty: none
  std::string_view accept = "application/json";
};

struct client_reply {
  int status = 0;
  std::vector<std::pair<std::string, std::string>> fields;  ///< names in lower case
  std::string body;

  /// Value of the first field of that name (in lower case); empty when there is none.
  std::string_view field(std::string_view name) const noexcept;
};

/// Whether a stream goes on after a line.
enum class stream_wish : std::uint8_t { more, enough };

/// A blocking client of one server: http and https, one request at a time over a connection that is kept.
/// Redirects are not followed: a 3xx is a reply like any other. Proxies are taken from the environment, not
/// for a loopback host. Owned and used by one thread; a stop token ends what runs from any thread.
///
/// Fails with `errc::io` (nobody answers there; the certificate is not trusted), `errc::timeout`,
/// `errc::malformed` (cut, not HTTP, beyond a bound) and `errc::cancelled` (the token).
class http_client {
 public:
  using on_line = std::function<stream_wish(std::string_view)>;

  /// `errc::bad_config` when the address or the key cannot be one, or the file of authorities cannot be read.
  static result<http_client> open(http_client_options options);

  http_client(http_client&&) noexcept;
  http_client& operator=(http_client&&) noexcept;
  ~http_client();

  result<client_reply> send(const client_request& request, const std::stop_token& stop = {});

  /// Hands over the lines of a 200 reply as they come, without their end; returns when the stream ends or
  /// `take` has enough. Another status is returned like a plain reply, with its body. `begun` is called when
  /// the head of a 200 is there.
  result<client_reply> stream(const client_request& request, const on_line& take,
                              const std::stop_token& stop = {}, const std::function<void()>& begun = {});

  /// `host:port` or `host`, for texts.
  const std::string& place() const noexcept;

 private:
  struct implementation;
  explicit http_client(std::unique_ptr<implementation> made);

  std::unique_ptr<implementation> here_;
};

/// `text` as one part of a path or query: all but letters, digits and `-._~` as %XX.
std::string url_part(std::string_view text);

}  // namespace lorica
