#include "net/http_session.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <array>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>
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
constexpr auto linger_time = 5s;
constexpr std::uint64_t least_body_rate = 16 * 1024;  // bytes in a second
constexpr std::string_view comment = ":\n\n";

// A peer that acknowledges nothing for this long is dead; without it the kernel tries for a quarter of an
// hour.
void set_silence_limit(int socket, std::chrono::milliseconds limit) {
  auto ms = static_cast<unsigned>(limit.count());
  ::setsockopt(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof ms);
}

parser_limits limits_of(const server_options& o) {
  parser_limits out;
  out.header.whole = o.header_limit;
  out.header.target = o.target_limit;
  out.body = o.payload_limit;
  return out;
}

}  // namespace

http_session::http_session(socket peer, const world& all)
    : socket_(std::move(peer)),
      world_(all),
      timer_(socket_.get_executor()),
      parser_(limits_of(all.options)) {}

void http_session::start() {
  asio::dispatch(socket_.get_executor(), [self = shared_from_this()] {
    error_code ignored;
    self->socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
    self->socket_.set_option(asio::socket_base::keep_alive(true), ignored);
    self->socket_.non_blocking(true, ignored);
    set_silence_limit(self->socket_.native_handle(), self->world_.options.write_timeout);
    auto peer = self->socket_.remote_endpoint(ignored);
    if (!ignored) self->peer_ = peer.address().to_string();
    if (!self->world_.registry.add(self)) return self->close();
    self->next_request();
  });
}

void http_session::close_soon() {
  asio::post(socket_.get_executor(), [self = shared_from_this()] { self->close(); });
}

void http_session::next_request() {
  phase_ = phase::request;
  due_ = {};
  auto& o = world_.options;
  due_.reading = clock::now() + (parser_.between_requests() ? o.idle_timeout : o.header_timeout);
  began_ = clock::now();
  parse();
}

void http_session::parse() {
  while (phase_ == phase::request) {
    auto step = parser_.advance();
    if (auto why = std::get_if<protocol_error>(&step)) return refuse(*why);
    switch (std::get<parse_step>(step)) {
      case parse_step::need_more:
        if (peer_ended_) return close();
        watch();
        return arm_timer();
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
  if (auto early = world_.handler.check_head(head)) {
    // The body is not wanted and may be long: the connection ends with the refusal.
    close_after_ = head.has_body;
    request_ = head.has_body ? head : parser_.take();
    phase_ = phase::answer;
    return write_reply(*std::move(early));
  }
  if (head.has_body) expect_body();
}

void http_session::expect_body() {
  auto bytes = parser_.announced_bytes();
  auto& head = parser_.request();
  due_.reading = clock::now() + world_.options.body_timeout;
  due_.body_total = clock::now() + 10s + std::chrono::seconds(bytes / least_body_rate);
  if (head.version >= 11 && head.find("expect") && parser_.buffered() == 0)
    push({"HTTP/1.1 100 Continue\r\n\r\n"});
}

void http_session::refuse(const protocol_error& why) {
  request_ = parser_.request();
  if (request_.id.empty()) request_.id = world_.handler.new_id();
  phase_ = phase::answer;
  write_reply(world_.handler.refuse(request_, why));
}

void http_session::answer() {
  request_ = parser_.take();
  phase_ = phase::answer;
  due_ = {};
  status_ = 0;
  activity_ = world_.handler.begin_activity();
  auto executor = socket_.get_executor();
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
  arm_timer();
  auto channel = exchange_;
  try {
    world_.handler.handle(request_, channel);
  } catch (const std::exception&) {
    log_error("request {}: the handler threw", request_.id);
    channel->reply(world_.handler.refuse(request_, {500, fail(errc::internal, "Internal error")}));
  }
}

void http_session::watch() {
  bool full = phase_ == phase::answer && parser_.buffered() >= pipelined_limit;
  if (watching_ || peer_ended_ || full || phase_ == phase::closed) return;
  watching_ = true;
  socket_.async_wait(socket::wait_read,
                     [self = shared_from_this()](error_code ec) { self->on_readable(ec); });
}

void http_session::on_readable(error_code ec) {
  watching_ = false;
  if (phase_ == phase::closed) return;
  if (ec) return close();
  std::array<char, 16 * 1024> bytes;
  auto count = socket_.read_some(asio::buffer(bytes), ec);
  if (ec == asio::error::would_block || ec == asio::error::try_again) return watch();
  if (ec == asio::error::eof) return on_end_of_file();
  if (ec) return close();
  on_bytes({bytes.data(), count});
}

void http_session::on_bytes(std::string_view bytes) {
  if (phase_ == phase::linger) {
    discarded_ += bytes.size();
    return discarded_ > discard_limit ? close() : watch();
  }
  bool first = phase_ == phase::request && parser_.between_requests();
  parser_.append(bytes);
  if (phase_ == phase::answer) return watch();
  if (first) due_.reading = clock::now() + world_.options.header_timeout;
  if (due_.body_total) due_.reading = clock::now() + world_.options.body_timeout;
  parse();
}

// End of file is a peer that has closed, or one that has only finished sending: writing tells them apart.
void http_session::on_end_of_file() {
  peer_ended_ = true;
  if (phase_ != phase::answer) return close();
  watch_for_reset();
  if (streaming_) return send_heartbeat();
  if (world_.options.half_close_grace > 0ms) due_.gone = clock::now() + world_.options.half_close_grace;
  arm_timer();
}

void http_session::watch_for_reset() {
  socket_.async_wait(socket::wait_error, [self = shared_from_this()](error_code ec) {
    if (!ec && self->phase_ != phase::closed) self->close();
  });
}

void http_session::take(const std::shared_ptr<exchange>& from, reply_message message) {
  if (!from || from != exchange_ || phase_ != phase::answer) return;
  std::visit([this](auto& m) { take_message(std::move(m)); }, message);
}

void http_session::take_message(whole_reply message) {
  write_reply(std::move(message.reply));
}

void http_session::take_message(stream_head message) {
  if (request_.version < 11) {
    std::exchange(exchange_, nullptr)->abandon();
    return refuse({400, fail(errc::malformed, "Streams need HTTP/1.1")});
  }
  streaming_ = true;
  due_.gone.reset();
  status_ = message.head.status;
  auto common = world_.handler.common_fields(request_);
  message.head.fields.insert(message.head.fields.begin(), common.begin(), common.end());
  close_after_ = close_after_ || !request_.keep_alive || worn_out();
  auto bytes = reply_head(message.head, body_framing::chunked,
                          close_after_ ? connection_fate::close : connection_fate::keep);
  if (request_.method == "HEAD") {
    std::exchange(exchange_, nullptr)->abandon();
    return push({std::move(bytes), 0, after::answer_complete});
  }
  push({std::move(bytes)});
  due_.heartbeat = clock::now() + world_.options.heartbeat;
  arm_timer();
  if (peer_ended_) send_heartbeat();
}

void http_session::take_message(stream_event message) {
  push({as_chunk(message.text), message.text.size()});
  due_.heartbeat = clock::now() + world_.options.heartbeat;
}

void http_session::take_message(stream_end) {
  due_.heartbeat.reset();
  push({"0\r\n\r\n", 0, after::answer_complete});
}

void http_session::take_message(stream_break) {
  due_.heartbeat.reset();
  push({{}, 0, after::break_off});
}

void http_session::send_heartbeat() {
  push({as_chunk(comment)});
  due_.heartbeat = clock::now() + world_.options.heartbeat;
  arm_timer();
}

void http_session::write_reply(http_reply reply) {
  due_.gone.reset();
  status_ = reply.status;
  bool last = reply.close || !request_.keep_alive || worn_out() || world_.handler.closing();
  close_after_ = close_after_ || last;
  auto common = world_.handler.common_fields(request_);
  reply.fields.insert(reply.fields.begin(), common.begin(), common.end());
  auto bytes =
      reply_head(reply, body_framing::length, close_after_ ? connection_fate::close : connection_fate::keep);
  if (request_.method != "HEAD") bytes += reply.body;
  push({std::move(bytes), 0, after::answer_complete});
}

bool http_session::worn_out() {
  return ++answered_ >= world_.options.max_requests_per_connection;
}

void http_session::push(piece p) {
  out_.push_back(std::move(p));
  if (!writing_) write_next();
}

void http_session::write_next() {
  if (out_.empty() || phase_ == phase::closed) return;
  writing_ = true;
  due_.writing = clock::now() + world_.options.write_timeout;
  arm_timer();
  asio::async_write(socket_, asio::buffer(out_.front().bytes),
                    [self = shared_from_this()](error_code ec, std::size_t) { self->on_written(ec); });
}

void http_session::on_written(error_code ec) {
  writing_ = false;
  due_.writing.reset();
  if (phase_ == phase::closed) return;
  auto done = std::move(out_.front());
  out_.pop_front();
  if (ec || done.then == after::break_off) return close();
  if (exchange_ && done.event_bytes > 0) exchange_->written(done.event_bytes);
  if (done.then == after::answer_complete) return answer_ended();
  write_next();
}

void http_session::answer_ended() {
  if (exchange_) std::exchange(exchange_, nullptr)->close();
  streaming_ = false;
  world_.handler.ended(request_, status_, clock::now() - began_);
  activity_.release();
  request_ = {};
  if (close_after_) return end_input();
  next_request();
}

std::optional<http_session::clock::time_point> http_session::earliest() const {
  std::optional<clock::time_point> out;
  for (auto& at : {due_.reading, due_.body_total, due_.writing, due_.heartbeat, due_.gone})
    if (at && (!out || *at < *out)) out = at;
  return out;
}

// The timer is moved only to an earlier time; a deadline that moved back finds it awake too soon, once.
void http_session::arm_timer() {
  auto at = earliest();
  if (!at || (armed_ && *armed_ <= *at) || phase_ == phase::closed) return;
  armed_ = at;
  timer_.expires_at(*at);
  timer_.async_wait([self = shared_from_this()](error_code ec) { self->on_timer(ec); });
}

void http_session::on_timer(error_code ec) {
  if (ec || phase_ == phase::closed) return;
  armed_.reset();
  auto now = clock::now();
  auto passed = [now](const std::optional<clock::time_point>& at) { return at && *at <= now; };
  if (passed(due_.reading) || passed(due_.body_total) || passed(due_.writing) || passed(due_.gone))
    return close();
  if (passed(due_.heartbeat)) return send_heartbeat();
  arm_timer();
}

// Bytes of the peer that nobody reads would turn the close into a reset, which can overtake the answer.
void http_session::end_input() {
  if (peer_ended_) return close();
  error_code ignored;
  socket_.shutdown(socket::shutdown_send, ignored);
  phase_ = phase::linger;
  due_ = {};
  due_.reading = clock::now() + linger_time;
  watch();
  arm_timer();
}

void http_session::close() {
  if (phase_ == phase::closed) return;
  bool answering = phase_ == phase::answer;
  phase_ = phase::closed;
  error_code ignored;
  socket_.close(ignored);
  timer_.cancel();
  world_.registry.remove(this);
  if (auto open = std::exchange(exchange_, nullptr)) open->abandon();
  if (answering) world_.handler.ended(request_, status_ ? status_ : 499, clock::now() - began_);
  activity_.release();
}

}  // namespace lorica
