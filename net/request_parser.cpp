#include "net/request_parser.hpp"

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

protocol_error malformed(std::string why) {
  return {400, fail(errc::malformed, std::move(why))};
}

/// Beast's parser, for one header: fields, lengths and what `Connection` means. Never sees a body.
class header_parser final : public http::basic_parser<true> {
 public:
  header_parser(std::size_t most_bytes, http_request& into) : into_(into) {
    header_limit(static_cast<std::uint32_t>(most_bytes) + 4);
    body_limit(boost::none);
  }

 private:
  void on_request_impl(http::verb, string_view method, string_view target, int version,
                       error_code& ec) override {
    ec = {};
    into_.method = {method.data(), method.size()};
    into_.target = {target.data(), target.size()};
    into_.version = version;
  }

  void on_field_impl(http::field, string_view name, string_view value, error_code& ec) override {
    ec = {};
    into_.fields.push_back({lower_case({name.data(), name.size()}), {value.data(), value.size()}});
  }

  void on_header_impl(error_code& ec) override { ec = {}; }
  void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code& ec) override { ec = {}; }
  std::size_t on_body_impl(string_view, error_code& ec) override { return refuse_body(ec); }
  void on_chunk_header_impl(std::uint64_t, string_view, error_code& ec) override { refuse_body(ec); }
  std::size_t on_chunk_body_impl(std::uint64_t, string_view, error_code& ec) override {
    return refuse_body(ec);
  }
  void on_response_impl(int, string_view, int, error_code& ec) override { ec = http::error::bad_method; }
  void on_finish_impl(error_code& ec) override { ec = {}; }

  static std::size_t refuse_body(error_code& ec) {
    ec = http::error::unexpected_body;
    return 0;
  }

  http_request& into_;
};

/// The header with a minor version that Beast knows: what follows 1.1 is read as 1.1 (RFC 9110, 2.5).
std::string as_known_version(std::string_view header) {
  std::string out(header);
  auto& minor = out[out.find("\r\n") - 1];
  if (minor > '1') minor = '1';
  return out;
}

}  // namespace

request_parser::request_parser(parser_limits limits) : limits_(limits) {}

request_parser::~request_parser() = default;

void request_parser::append(std::string_view bytes) {
  if (at_ > 0) {
    buffer_.erase(0, at_);
    at_ = 0;
  }
  buffer_.append(bytes);
}

std::variant<parse_step, protocol_error> request_parser::advance() {
  return stage_ == stage::header ? advance_header() : advance_body();
}

std::variant<parse_step, protocol_error> request_parser::advance_header() {
  // One empty line before a request is forgiven (RFC 9112, 2.2).
  if (!blank_line_ && searched_ == 0 && rest().starts_with("\r\n")) {
    blank_line_ = true;
    at_ += 2;
  }
  auto bytes = rest();
  if (bytes.empty() || (bytes == "\r" && !blank_line_)) return parse_step::need_more;
  while (true) {
    auto end = bytes.find('\n', searched_);
    bool whole = end != bytes.npos;
    auto line = bytes.substr(line_, whole ? end - line_ : bytes.npos);
    bool ends_well = line.ends_with('\r');
    if (ends_well) line.remove_suffix(1);
    if (whole && ends_well && line.empty() && lines_ > 0) {
      if (auto why = read_header(bytes.substr(0, end + 1))) return *std::move(why);
      return parse_step::header;
    }
    auto check = lines_ == 0 ? request_line_refusal : field_line_refusal;
    auto part = whole ? line_part::whole : line_part::beginning;
    if (auto why = check(line, part, limits_.header)) return *std::move(why);
    if (whole && !ends_well) return malformed("A line of the header ends without CR");
    bool too_many = lines_ > limits_.header.max_fields && !line.empty();
    if (too_many || (whole ? end : bytes.size()) > limits_.header.whole) return header_too_large();
    searched_ = whole ? end + 1 : bytes.size();
    if (!whole) return parse_step::need_more;
    line_ = searched_;
    ++lines_;
  }
}

std::optional<protocol_error> request_parser::read_header(std::string_view bytes) {
  auto text = as_known_version(bytes);
  header_parser parser(limits_.header.whole, request_);
  error_code ec;
  for (std::string_view left = text; !parser.is_header_done() && !ec;)
    left.remove_prefix(parser.put(boost::asio::buffer(left.data(), left.size()), ec));
  at_ += bytes.size();
  if (ec) return malformed("The header is not that of an HTTP/1.1 request");
  request_.keep_alive = keeps_connection(request_);
  request_.chunked = parser.chunked();
  if (auto length = parser.content_length()) length_ = *length;
  request_.has_body = request_.chunked || length_.value_or(0) > 0;
  if (auto why = header_refusal(request_)) return why;
  body_limit_ = limits_.body;
  stage_ = stage::before_body;
  return std::nullopt;
}

std::variant<parse_step, protocol_error> request_parser::advance_body() {
  if (stage_ == stage::before_body) {
    if (length_ && *length_ > body_limit_) return body_too_large(body_limit_);
    body_ =
        request_.chunked ? body_reader::in_chunks(body_limit_) : body_reader::of_length(length_.value_or(0));
    stage_ = stage::body;
  }
  auto bytes = rest();
  auto before = bytes.size();
  auto why = body_.read(bytes, request_.body);
  at_ += before - bytes.size();
  if (why) return *std::move(why);
  return body_.done() ? parse_step::complete : parse_step::need_more;
}

http_request request_parser::take() {
  stage_ = stage::header;
  blank_line_ = false;
  line_ = searched_ = lines_ = 0;
  length_.reset();
  body_ = {};
  return std::exchange(request_, {});
}

}  // namespace lorica
