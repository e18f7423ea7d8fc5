#include "net/request_parser.hpp"

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>
#include <utility>

#include "net/header_rules.hpp"

namespace lorica {
namespace {

namespace http = boost::beast::http;
using boost::beast::error_code;
using boost::beast::string_view;

// Many tiny chunks cost more work than their bytes are worth.
constexpr std::uint64_t tolerated_chunks = 4096;
constexpr std::uint64_t least_chunk_bytes = 16;
constexpr std::size_t extension_limit = 256;
constexpr std::size_t extensions_limit = 4096;
constexpr std::string_view end_of_header = "\r\n\r\n";

std::string text(string_view s) {
  return {s.data(), s.size()};
}

protocol_error malformed(std::string why) {
  return {400, fail(errc::malformed, std::move(why))};
}

protocol_error header_too_large() {
  return {431,
          fail(errc::header_too_large, "The header is above its limits: 32 KiB, 100 fields, 8 KiB each")};
}

protocol_error target_too_long() {
  return {414, fail(errc::header_too_large, "The request target is longer than 8 KiB")};
}

// A line end without CR, a NUL or a folded field is read differently by different servers.
bool ambiguous(std::string_view header, std::size_t from) {
  for (auto i = from; i < header.size(); ++i) {
    if (header[i] == '\0') return true;
    if (header[i] != '\n') continue;
    if (i == 0 || header[i - 1] != '\r') return true;
    if (i + 1 < header.size() && (header[i + 1] == ' ' || header[i + 1] == '\t')) return true;
  }
  return false;
}

}  // namespace

/// One message on its way through Beast's parser.
class request_parser::message final : public http::basic_parser<true> {
 public:
  explicit message(const parser_limits& limits) : limits_(limits) {
    header_limit(static_cast<std::uint32_t>(limits.header) + 4);
    body_limit(limits.body);
  }

  http_request request;
  bool too_large = false;

 private:
  void on_request_impl(http::verb, string_view method, string_view target, int version,
                       error_code& ec) override {
    ec = {};
    request.method = text(method);
    request.target = text(target);
    request.version = version;
  }

  void on_field_impl(http::field, string_view name, string_view value, error_code& ec) override {
    ec = {};
    if (is_header_done()) return;  // a trailer
    too_large = request.fields.size() >= limits_.max_fields || name.size() + value.size() > limits_.line;
    if (too_large) {
      ec = http::error::header_limit;
      return;
    }
    request.fields.push_back({lower_case({name.data(), name.size()}), text(value)});
  }

  void on_header_impl(error_code& ec) override { ec = {}; }
  void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code& ec) override { ec = {}; }

  std::size_t on_body_impl(string_view body, error_code& ec) override {
    ec = {};
    request.body.append(body.data(), body.size());
    return body.size();
  }

  void on_chunk_header_impl(std::uint64_t, string_view extensions, error_code& ec) override {
    ec = {};
    ++chunks_;
    extensions_ += extensions.size();
    bool tiny = chunks_ > tolerated_chunks && request.body.size() / chunks_ < least_chunk_bytes;
    if (tiny || extensions.size() > extension_limit || extensions_ > extensions_limit)
      ec = http::error::bad_chunk;
  }

  std::size_t on_chunk_body_impl(std::uint64_t, string_view body, error_code& ec) override {
    return on_body_impl(body, ec);
  }

  void on_response_impl(int, string_view, int, error_code& ec) override { ec = http::error::bad_method; }
  void on_finish_impl(error_code& ec) override { ec = {}; }

  const parser_limits& limits_;
  std::uint64_t chunks_ = 0;
  std::size_t extensions_ = 0;
};

request_parser::request_parser(parser_limits limits)
    : limits_(limits), message_(std::make_unique<message>(limits_)) {}

request_parser::~request_parser() = default;

void request_parser::append(std::string_view bytes) {
  if (at_ > 0) {
    buffer_.erase(0, at_);
    at_ = 0;
  }
  buffer_.append(bytes);
}

std::variant<parse_step, protocol_error> request_parser::advance() {
  return message_->is_header_done() ? advance_body() : advance_header();
}

std::variant<parse_step, protocol_error> request_parser::advance_header() {
  // One empty line before a request is forgiven (RFC 9112, 2.2).
  if (scanned_ == 0 && rest().starts_with("\r\n")) at_ += 2;
  auto bytes = rest();
  if (bytes.empty() || bytes == "\r") return parse_step::need_more;
  auto from = scanned_ < 3 ? 0 : scanned_ - 3;  // what may span the old bytes and the new
  auto end = bytes.find(end_of_header, from);
  auto header = bytes.substr(0, end == bytes.npos ? bytes.npos : end + end_of_header.size());
  if (ambiguous(header, from)) return malformed("The header holds a bare line end, a folded field or a NUL");
  auto line = std::min(header.find('\r'), header.size());
  if (line > limits_.target + 64) return target_too_long();
  if (header.size() > limits_.header) return header_too_large();
  if (end == bytes.npos) {
    scanned_ = bytes.size();
    return parse_step::need_more;
  }
  scanned_ = 0;
  error_code ec;
  for (auto left = header; !message_->is_header_done() && !ec;) {
    auto used = message_->put(boost::asio::buffer(left.data(), left.size()), ec);
    left.remove_prefix(used);
  }
  at_ += header.size();
  auto& head = message_->request;
  if (message_->too_large || ec == http::error::header_limit) return header_too_large();
  if (ec == http::error::body_limit)
    return protocol_error{413, fail(errc::payload_too_large,
                                    "The body is larger than " + std::to_string(limits_.body) + " bytes")};
  if (ec) return malformed("The header is not that of an HTTP/1.1 request");
  if (head.target.size() > limits_.target) return target_too_long();
  head.keep_alive = message_->keep_alive();
  head.chunked = message_->chunked();
  head.has_body = !message_->is_done();
  auto host = head.find("host");
  auto target = origin_form(head.target, host ? std::string_view(*host) : std::string_view());
  if (!target) return malformed("The request target names another host");
  head.target = *std::move(target);
  if (auto why = header_refusal(head)) return *std::move(why);
  return parse_step::header;
}

std::variant<parse_step, protocol_error> request_parser::advance_body() {
  while (!message_->is_done()) {
    auto bytes = rest();
    if (bytes.empty()) return parse_step::need_more;
    error_code ec;
    at_ += message_->put(boost::asio::buffer(bytes.data(), bytes.size()), ec);
    if (ec == http::error::need_more) {
      // Only chunk headers and trailers wait for their end.
      if (rest().size() > limits_.line) return malformed("A chunk header or trailer is too long");
      return parse_step::need_more;
    }
    if (ec == http::error::body_limit)
      return protocol_error{413, fail(errc::payload_too_large,
                                      "The body is larger than " + std::to_string(limits_.body) + " bytes")};
    if (ec) return malformed("The body is not framed as its header says");
  }
  return parse_step::complete;
}

const http_request& request_parser::request() const noexcept {
  return message_->request;
}
http_request& request_parser::request() noexcept {
  return message_->request;
}

std::uint64_t request_parser::announced_bytes() const noexcept {
  auto length = message_->content_length();
  return length ? *length : limits_.body;
}

http_request request_parser::take() {
  auto out = std::move(message_->request);
  message_ = std::make_unique<message>(limits_);
  return out;
}

std::size_t request_parser::buffered() const noexcept {
  return rest().size();
}

bool request_parser::between_requests() const noexcept {
  return buffered() == 0 && !message_->is_header_done();
}

}  // namespace lorica
