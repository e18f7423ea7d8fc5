#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace lorica {

/// A header field. Names of requests are in lower case, names of replies are as they go out.
struct http_field {
  std::string name;
  std::string value;
};

/// One request as a plain value: what the parser made of the bytes.
struct http_request {
  std::string method;
  std::string target;  ///< as sent: not decoded, query included
  int version = 11;    ///< 10 or 11
  std::vector<http_field> fields;
  std::string body;
  bool keep_alive = true;
  bool has_body = false;
  bool chunked = false;
  std::string peer;  ///< IP address of the other end of the connection, as text
  std::string id;    ///< `x-request-id`: the client's if it is fit to be shown, else a new one

  /// First value of a field (`name` in lower case); null when absent.
  const std::string* find(std::string_view name) const noexcept;

  /// How often a field occurs.
  std::size_t count(std::string_view name) const noexcept;

  /// The target up to its query.
  std::string_view path() const noexcept;

  /// What follows the `?` of the target, not decoded; empty without one.
  std::string_view query() const noexcept;
};

/// One reply as a plain value. The connection adds length, framing and the fields that every reply has.
struct http_reply {
  int status = 200;
  std::string content_type;  ///< empty: no body
  std::string body;
  std::vector<http_field> fields;
  bool close = false;  ///< the connection ends after it
};

/// How the end of a reply's body is told.
enum class body_framing : std::uint8_t { length, chunked };

/// What happens to the connection after a reply.
enum class connection_fate : std::uint8_t { keep, close };

/// Status line and fields of `reply` with the blank line after them. `length` announces the size of the body,
/// also when a HEAD request leaves it out. Values are stripped of control characters.
std::string reply_head(const http_reply& reply, body_framing framing, connection_fate fate);

/// `data` as one chunk of a chunked body (RFC 9112, 7.1).
std::string as_chunk(std::string_view data);

/// `reply` with further fields behind its own.
http_reply with_fields(http_reply reply, const std::vector<http_field>& more);

/// A JSON reply.
http_reply json_reply(int status, std::string body);

/// True for a media type of `application/json`, with or without parameters.
bool is_json(std::string_view content_type);

/// ASCII only, as protocols compare.
std::string lower_case(std::string_view text);

}  // namespace lorica
