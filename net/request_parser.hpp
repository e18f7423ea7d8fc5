#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <variant>

#include "net/body_reader.hpp"
#include "net/header_lines.hpp"
#include "net/http_message.hpp"
#include "net/request_handler.hpp"

namespace lorica {

/// Bounds of one request.
struct parser_limits {
  header_limits header;
  std::uint64_t body = 2'000'000;  ///< bytes
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
  const http_request& request() const noexcept { return request_; }
  http_request& request() noexcept { return request_; }

  /// Another limit for the body of this request, which counts from here on; right after `header`, before
  /// `advance`.
  void limit_body(std::uint64_t most) noexcept { body_limit_ = most; }

  /// Body bytes that the header announced; the limit for a chunked body.
  std::uint64_t announced_bytes() const noexcept { return length_ ? *length_ : body_limit_; }

  /// The complete request; the parser is ready for the next, whose bytes may have come already.
  http_request take();

  /// Bytes that are not parsed yet.
  std::size_t buffered() const noexcept { return rest().size(); }

  /// True when nothing of a next request has been seen.
  bool between_requests() const noexcept { return stage_ == stage::header && buffered() == 0; }

 private:
  enum class stage : std::uint8_t { header, before_body, body };

  std::variant<parse_step, protocol_error> advance_header();
  std::optional<protocol_error> read_header(std::string_view bytes);
  std::variant<parse_step, protocol_error> advance_body();
  std::string_view rest() const noexcept { return std::string_view(buffer_).substr(at_); }

  parser_limits limits_;
  std::string buffer_;
  std::size_t at_ = 0;  // first byte of `buffer_` that is not parsed
  stage stage_ = stage::header;
  bool blank_line_ = false;   // one before this request was forgiven
  std::size_t line_ = 0;      // where the header's current line begins, from `at_`
  std::size_t searched_ = 0;  // bytes from `at_` known to hold no further line end
  std::size_t lines_ = 0;     // of the header, complete and right
  http_request request_;
  std::optional<std::uint64_t> length_;  // Content-Length
  std::uint64_t body_limit_ = 0;
  body_reader body_;
};

}  // namespace lorica
