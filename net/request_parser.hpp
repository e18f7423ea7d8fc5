#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <variant>

#include "net/http_message.hpp"
#include "net/request_handler.hpp"

namespace lorica {

/// Bounds of one request, all in bytes but `max_fields`.
struct parser_limits {
  std::size_t header = 32 * 1024;  ///< request line and fields
  std::size_t target = 8 * 1024;
  std::size_t line = 8 * 1024;  ///< one field
  std::size_t max_fields = 100;
  std::uint64_t body = 2'000'000;
};

/// How far the bytes so far reach.
enum class parse_step : std::uint8_t {
  need_more,  ///< feed more bytes
  header,     ///< the header is complete and `request` can be looked at; told once
  complete,   ///< `take` gives the whole request
};

/// Bytes to requests, one after the other (HTTP/1.1, RFC 9112). Strict: what two readers could understand
/// differently is refused. Owned by one connection; the result does not depend on how the bytes are split.
class request_parser {
 public:
  explicit request_parser(parser_limits limits);
  ~request_parser();

  /// Adds bytes from the peer.
  void append(std::string_view bytes);

  /// Goes on with what is there. After a `protocol_error` the connection cannot be read any more.
  std::variant<parse_step, protocol_error> advance();

  /// The request so far.
  const http_request& request() const noexcept;
  http_request& request() noexcept;

  /// Body bytes that the header announced; the limit for a chunked body.
  std::uint64_t announced_bytes() const noexcept;

  /// The complete request; the parser is ready for the next, whose bytes may have come already.
  http_request take();

  /// Bytes that are not parsed yet.
  std::size_t buffered() const noexcept;

  /// True when nothing of a next request has been seen.
  bool between_requests() const noexcept;

 private:
  class message;

  std::variant<parse_step, protocol_error> advance_header();
  std::variant<parse_step, protocol_error> advance_body();
  std::string_view rest() const noexcept { return std::string_view(buffer_).substr(at_); }

  parser_limits limits_;
  std::string buffer_;
  std::size_t at_ = 0;       // first byte of `buffer_` that is not parsed
  std::size_t scanned_ = 0;  // bytes after `at_` known to hold no end of header
  std::unique_ptr<message> message_;
};

}  // namespace lorica
