#include "net/http_session.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <exception>
#include <utility>

#include "core/log.hpp"
#include "net/request_id.hpp"

namespace lorica {

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t pipelined_limit = 64 * 1024;       // bytes of requests behind the one that is answered
constexpr std::size_t discard_limit = 16 * 1024 * 1024;  // bytes of a refused body
constexpr std::uint64_t least_body_rate = 16 * 1024;     // bytes in a second
constexpr std::uint64_t body_step = 64 * 1024;           // bytes by which the hold for a chunked body grows

void set_number(int socket, int level, int name, unsigned value) {
  ::setsockopt(socket, level, name, &value, sizeof value);
}

// A peer that acknowledges nothing for this long is dead; without it the kernel tries for a quarter of an
// hour. One that is silent is asked whether it is still there.
void set_socket_options(byte_stream::socket& wire, std::chrono::milliseconds silence) {
  boost::system::error_code ignored;
  wire.set_option(asio::ip::tcp::no_delay(true), ignored);
  wire.set_option(asio::socket_base::keep_alive(true), ignored);
  wire.non_blocking(true, ignored);
  auto fd = wire.native_handle();
  set_number(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, static_cast<unsigned>(silence.count()));
  set_number(fd, IPPROTO_TCP, TCP_KEEPIDLE, 15);
  set_number(fd, IPPROTO_TCP, TCP_KEEPINTVL, 10);
  set_number(fd, IPPROTO_TCP, TCP_KEEPCNT, 3);
}

parser_limits limits_of(const server_options& o) {
  parser_limits out;
  out.header.whole = o.header_limit;
  out.header.target = o.target_limit;
  out.body = o.payload_limit;
  return out;
}

protocol_error too_late(std::string_view what) {
  return {408, fail(errc::malformed, std::string("The ").append(what).append(" did not come in time"))};
}

}  // namespace

http_session::http_session(std::unique_ptr<byte_stream> stream, std::string peer, const world& all)
    : stream_(std::move(stream)),
      peer_(std::move(peer)),
      world_(all),
      due_(stream_->wire().get_executor()),
      parser_(limits_of(all.options)) {}

void http_session::start(connection_kind kind) {
  kind_ = kind;
  asio::dispatch(stream_->wire().get_executor(), [self = shared_from_this()] {
    if (self->phase_ == phase::closed) return;
    self->due_.begin(self->weak_from_this(), [raw = self.get()] { raw->on_deadline(); });
    set_socket_options(self->stream_->wire(), self->world_.options.write_timeout);
    self->due_.set(deadline::reading, self->world_.options.handshake_timeout);
    self->stream_->open([self](error_code ec) {
      if (self->phase_ == phase::closed) return;
      ec ? self->close() : self->next_request();
    });
  });
}

void http_session::close_soon() {
  asio::post(stream_->wire().get_executor(), [self = shared_from_this()] { self->close(); });
}

void http_session::next_request() {
  phase_ = phase::request;
  due_.clear_all();
  auto& o = world_.options;
  // A new connection has come to ask for something; one that asked before may wait, unless others want its
  // place.
  bool may_idle = answered_ > 0 && parser_.between_requests();
  auto limit = may_idle && !world_.registry.is_pressed() ? o.idle_timeout : o.header_timeout;
  if (kind_ == connection_kind::reserved) limit = std::min(limit, o.reserved_timeout);
  due_.set(deadline::reading, limit);
  began_ = clock::now();
  parse();
}

void http_session::parse() {
  while (phase_ == phase::request) {
    auto step = parser_.advance();
    if (auto why = std::get_if<protocol_error>(&step)) return refuse(*why);
    switch (std::get<parse_step>(step)) {
      case parse_step::need_more: return peer_ended_ ? end_input() : watch();
      case parse_step::header: on_header(); break;
      case parse_step::complete: return answer();
    }
  }
}

void http_session::on_header() {
  auto& head = parser_.request();
  head.peer = peer_;
  auto id = head.find("x-request-id");
  head.id = id && is_fit_request_id(*id) ? *id : world_.handler.new_id();
  began_ = clock::now();
  if (kind_ == connection_kind::reserved && !world_.handler.is_vital(head))
    return refuse({429, fail(errc::overloaded, "Too many connections are open; try again later")});
  if (auto early = world_.handler.check_head(head)) return refuse_head(*std::move(early));
  parser_.limit_body(world_.handler.body_limit(head));
  if (head.has_body) expect_body();
}

void http_session::refuse_head(http_reply reply) {
  auto& head = parser_.request();
  // The body is not wanted and may be long: the connection ends with the refusal.
  close_after_ = head.has_body;
  request_ = head.has_body ? head : parser_.take();
  phase_ = phase::answer;
  write_reply(std::move(reply));
}

void http_session::expect_body() {
  auto bytes = parser_.announced_bytes();
  auto& head = parser_.request();
  // What is too long is refused by the parser, before anything is waited for.
  if (!head.chunked && bytes > world_.handler.body_limit(head)) return;
  body_ = world_.bodies.open();
  if (!hold_body()) return;
  due_.set(deadline::reading, world_.options.body_timeout);
  due_.set(deadline::body, world_.options.body_grace + std::chrono::seconds(bytes / least_body_rate));
  if (head.version >= 11 && head.find("expect") && parser_.buffered() == 0)
    push({"HTTP/1.1 100 Continue\r\n\r\n"});
}

// Bodies are counted before they are read: all of one whose length is known, else a step ahead of what is
// there.
bool http_session::hold_body() {
  auto& head = parser_.request();
  auto bytes = head.chunked ? head.body.size() + body_step : parser_.announced_bytes();
  if (body_.grow_to(bytes)) return true;
  refuse({429, fail(errc::overloaded, "Too many bytes of request bodies are being read; try again later")});
  return false;
}

void http_session::refuse(const protocol_error& why) {
  request_ = parser_.request();
  request_.body.clear();
  if (request_.id.empty()) request_.id = world_.handler.new_id();
  phase_ = phase::answer;
  due_.clear_all();
  write_reply(world_.handler.refuse(request_, why));
}

void http_session::answer() {
  request_ = parser_.take();
  phase_ = phase::answer;
  due_.clear_all();
  status_ = 0;
  activity_ = world_.handler.begin_activity();
  auto executor = stream_->wire().get_executor();
  // The exchange is known to its own messages by address only: it is the current one or they are late.
  auto slot = std::make_shared<std::weak_ptr<exchange>>();
  exchange_ = std::make_shared<exchange>(
      [self = shared_from_this(), executor, slot](reply_message message) {
        asio::post(executor, [self, from = slot->lock(), message = std::move(message)]() mutable {
          self->take(from, std::move(message));
        });
      },
      world_.options.output_limit);
  *slot = exchange_;
  watch();
  if (peer_ended_) on_end_of_file();
  auto channel = exchange_;
  try {
    world_.handler.handle(request_, channel);
  } catch (const std::exception&) {
    log_error("request {}: the handler threw", request_.id);
    channel->reply(world_.handler.refuse(request_, {500, fail(errc::internal, "Internal error")}));
  }
  // Whoever answers has read it.
  std::string().swap(request_.body);
  body_.release();
}

void http_session::watch() {
  if (watching_ || peer_ended_ || phase_ == phase::closed) return;
  if (phase_ == phase::answer && parser_.buffered() >= pipelined_limit) return watch_for_reset();
  watching_ = true;
  stream_->read([self = shared_from_this()](error_code ec, std::string_view bytes) {
    self->watching_ = false;
    self->on_readable(ec, bytes);
  });
}

void http_session::on_readable(error_code ec, std::string_view bytes) {
  if (phase_ == phase::closed) return;
  if (phase_ == phase::linger) {
    discarded_ += bytes.size();
    return drain();
  }
  if (ec == asio::error::eof) return on_end_of_file();
  if (ec) return close();
  on_bytes(bytes);
}

void http_session::on_bytes(std::string_view bytes) {
  bool first = phase_ == phase::request && parser_.between_requests();
  parser_.append(bytes);
  if (phase_ == phase::answer) return watch();
  if (first && kind_ == connection_kind::ordinary && answered_ > 0)
    due_.set(deadline::reading, world_.options.header_timeout);
  if (due_.is_set(deadline::body)) due_.set(deadline::reading, world_.options.body_timeout);
  parse();
  if (phase_ == phase::request && parser_.request().chunked) hold_body();
}

// End of file is a peer that has closed, or one that has only finished sending: writing tells them apart.
void http_session::on_end_of_file() {
  peer_ended_ = true;
  if (phase_ != phase::answer) return close();
  watch_for_reset();
  if (streaming_) return send_comment();
  if (world_.options.half_close_grace > 0ms) due_.set(deadline::gone, world_.options.half_close_grace);
}

void http_session::watch_for_reset() {
  if (std::exchange(watching_reset_, true)) return;
  stream_->watch_for_reset([self = shared_from_this()](error_code ec) {
    self->watching_reset_ = false;
    if (!ec && self->phase_ != phase::closed) self->close();
  });
}

void http_session::on_deadline() {
  if (phase_ == phase::closed) return;
  if (due_.passed(deadline::writing) || due_.passed(deadline::draining) || due_.passed(deadline::gone))
    return close();
  if (due_.passed(deadline::reading) || due_.passed(deadline::body)) {
    bool asked = phase_ == phase::request && !parser_.between_requests();
    return asked ? refuse(too_late(due_.is_set(deadline::body) ? "body" : "header")) : close();
  }
  if (due_.passed(deadline::head) && expected_) {
    auto head = *std::exchange(expected_, std::nullopt);
    due_.clear(deadline::head);
    if (!exchange_->claim_head()) return;
    begin_stream(std::move(head));
    return send_comment();
  }
  if (due_.passed(deadline::heartbeat)) send_comment();
}

// Bytes of the peer that nobody reads would turn the close into a reset, which can overtake the answer.
void http_session::end_input() {
  phase_ = phase::linger;
  due_.clear_all();
  due_.set(deadline::reading, world_.options.linger_timeout);
  stream_->end_sending([self = shared_from_this()](error_code) {
    self->sending_ended_ = true;
    if (self->phase_ != phase::closed) self->drain();
  });
}

void http_session::drain() {
  if (watching_ || !sending_ended_) return;
  if (peer_ended_) return close();
  watching_ = true;
  stream_->discard([self = shared_from_this()](error_code ec, std::size_t count) {
    self->watching_ = false;
    if (self->phase_ == phase::closed) return;
    self->discarded_ += count;
    if (ec || self->discarded_ > discard_limit) return self->close();
    self->drain();
  });
}

void http_session::close() {
  if (phase_ == phase::closed) return;
  bool answering = phase_ == phase::answer;
  phase_ = phase::closed;
  stream_->close();
  due_.stop();
  world_.registry.remove(this);
  if (auto open = std::exchange(exchange_, nullptr)) open->abandon();
  if (answering) world_.handler.ended(request_, status_ ? status_ : 499, clock::now() - began_);
  activity_.release();
  body_.release();
}

}  // namespace lorica
