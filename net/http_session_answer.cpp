// The half of a connection that answers: from the messages of an exchange to bytes on their way.
#include <boost/asio/buffer.hpp>
#include <utility>

#include "net/http_session.hpp"

namespace lorica {
namespace {

constexpr std::string_view comment = ":\n\n";

}  // namespace

void http_session::take(const std::shared_ptr<exchange>& from, reply_message message) {
  if (!from || from != exchange_ || phase_ != phase::answer) return;
  std::visit([this](auto& m) { take_message(std::move(m)); }, message);
}

void http_session::take_message(whole_reply message) {
  write_reply(std::move(message.reply));
}

void http_session::take_message(stream_expected message) {
  expected_ = std::move(message.head);
  if (request_.version >= 11) due_.set(deadline::head, world_.options.stream_patience);
}

void http_session::take_message(stream_head message) {
  begin_stream(std::move(message.head));
}

void http_session::take_message(stream_event message) {
  send_event(message.text);
}

void http_session::take_message(stream_end) {
  due_.clear(deadline::heartbeat);
  push({"0\r\n\r\n", 0, after::answer_complete});
}

void http_session::take_message(stream_refusal message) {
  if (!streaming_) return write_reply(std::move(message.reply));
  for (auto& event : message.events)
    send_event(event);
  take_message(stream_end{});
}

void http_session::take_message(stream_break) {
  due_.clear(deadline::heartbeat);
  push({{}, 0, after::break_off});
}

void http_session::begin_stream(http_reply head) {
  due_.clear(deadline::head);
  due_.clear(deadline::gone);
  if (request_.version < 11) {
    std::exchange(exchange_, nullptr)->abandon();
    return refuse({400, fail(errc::malformed, "Streams need HTTP/1.1")});
  }
  streaming_ = true;
  status_ = head.status;
  world_.handler.complete(request_, head);
  auto bytes = reply_head(head, body_framing::chunked, decide_fate(head));
  if (request_.method == "HEAD") {
    std::exchange(exchange_, nullptr)->abandon();
    return push({std::move(bytes), 0, after::answer_complete});
  }
  push({std::move(bytes)});
  due_.set(deadline::heartbeat, world_.options.heartbeat);
  if (peer_ended_) send_comment();
}

void http_session::send_event(std::string_view text) {
  if (exchange_ && exchange_->is_full() && !due_.is_set(deadline::draining))
    due_.set(deadline::draining, world_.options.drain_timeout);
  push({as_chunk(text), text.size()});
  due_.set(deadline::heartbeat, world_.options.heartbeat);
}

void http_session::send_comment() {
  push({as_chunk(comment)});
  due_.set(deadline::heartbeat, world_.options.heartbeat);
}

connection_fate http_session::decide_fate(const http_reply& reply) {
  bool worn_out = ++answered_ >= world_.options.max_requests_per_connection;
  close_after_ = close_after_ || reply.close || !request_.keep_alive || worn_out ||
                 world_.handler.closing() || kind_ == connection_kind::reserved;
  return close_after_ ? connection_fate::close : connection_fate::keep;
}

void http_session::write_reply(http_reply reply) {
  due_.clear(deadline::gone);
  due_.clear(deadline::head);
  status_ = reply.status;
  world_.handler.complete(request_, reply);
  auto bytes = reply_head(reply, body_framing::length, decide_fate(reply));
  if (request_.method != "HEAD") bytes += reply.body;
  push({std::move(bytes), 0, after::answer_complete});
}

void http_session::push(piece p) {
  out_.push_back(std::move(p));
  if (!writing_) write_next();
}

void http_session::write_next() {
  if (out_.empty() || phase_ == phase::closed) return;
  writing_ = true;
  due_.set(deadline::writing, world_.options.write_timeout);
  stream_->write(out_.front().bytes, [self = shared_from_this()](error_code ec) { self->on_written(ec); });
}

void http_session::on_written(error_code ec) {
  writing_ = false;
  due_.clear(deadline::writing);
  if (phase_ == phase::closed) return;
  auto done = std::move(out_.front());
  out_.pop_front();
  if (ec || done.then == after::break_off) return close();
  if (exchange_ && done.event_bytes > 0) exchange_->written(done.event_bytes);
  if (due_.is_set(deadline::draining) && !(exchange_ && exchange_->is_full())) due_.clear(deadline::draining);
  if (done.then == after::answer_complete) return answer_ended();
  write_next();
}

void http_session::answer_ended() {
  if (exchange_) std::exchange(exchange_, nullptr)->close();
  streaming_ = false;
  expected_.reset();
  world_.handler.ended(request_, status_, clock::now() - began_);
  activity_.release();
  body_.release();
  request_ = {};
  if (close_after_) return end_input();
  next_request();
}

}  // namespace lorica
