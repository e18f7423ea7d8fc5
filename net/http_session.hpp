#pragma once

#include <chrono>
#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "net/byte_budget.hpp"
#include "net/byte_stream.hpp"
#include "net/exchange.hpp"
#include "net/request_handler.hpp"
#include "net/request_parser.hpp"
#include "net/server.hpp"
#include "net/session_deadlines.hpp"
#include "net/session_registry.hpp"

namespace lorica {

/// One connection: reads requests, has them answered one after the other and writes the answers. It lives on
/// its strand, kept alive by what it waits for, and ends with the peer, a deadline, an error or the server.
/// One write is in flight at most; while an answer is made the stream is watched for the peer's leaving.
class http_session final : public std::enable_shared_from_this<http_session> {
 public:
  /// What all connections share; outlives them.
  struct world {
    request_handler& handler;
    session_registry& registry;
    const byte_budget& bodies;
    const server_options& options;
  };

  /// The executor of `stream`'s socket is a strand of its own; `peer` is the IP address of its other end.
  http_session(std::unique_ptr<byte_stream> stream, std::string peer, const world& all);

  /// Begins to read; once, from any thread. The registry has it by then and ends with it.
  void start(connection_kind kind);

  /// Ends the connection; from any thread.
  void close_soon();

 private:
  using clock = std::chrono::steady_clock;
  using error_code = boost::system::error_code;

  /// What is read for: a request, the peer's end while an answer is made, or the rest of what is not wanted.
  enum class phase : std::uint8_t { opening, request, answer, linger, closed };

  /// What follows once the bytes of an outgoing piece are written.
  enum class after : std::uint8_t { go_on, answer_complete, break_off };

  struct piece {
    std::string bytes;
    std::size_t event_bytes = 0;  ///< of its bytes, those that count as unsent
    after then = after::go_on;
  };

  void next_request();
  void parse();
  void on_header();
  void refuse_head(http_reply reply);
  void expect_body();
  bool hold_body();
  void answer();
  void refuse(const protocol_error& why);

  void watch();
  void on_readable(error_code ec, std::string_view bytes);
  void on_bytes(std::string_view bytes);
  void on_end_of_file();
  void watch_for_reset();

  void take(const std::shared_ptr<exchange>& from, reply_message message);
  void take_message(whole_reply message);
  void take_message(stream_expected message);
  void take_message(stream_head message);
  void take_message(stream_event message);
  void take_message(stream_end message);
  void take_message(stream_refusal message);
  void take_message(stream_break message);
  void begin_stream(http_reply head);
  void write_reply(http_reply reply);
  void send_event(std::string_view text);
  void send_comment();
  connection_fate decide_fate(const http_reply& reply);

  void push(piece p);
  void write_next();
  void on_written(error_code ec);
  void answer_ended();
  void on_deadline();

  void end_input();
  void drain();
  void close();

  std::unique_ptr<byte_stream> stream_;
  const std::string peer_;
  const world& world_;
  session_deadlines due_;
  connection_kind kind_ = connection_kind::ordinary;
  phase phase_ = phase::opening;
  request_parser parser_;
  http_request request_;                ///< that is being answered
  byte_budget::hold body_;              ///< for its body, while that is read and looked at
  std::shared_ptr<exchange> exchange_;  ///< its way back
  std::optional<http_reply> expected_;  ///< head of a stream that is to come
  admission::activity activity_;
  clock::time_point began_;
  int status_ = 0;  ///< of the answer, once its head is on its way
  bool streaming_ = false;
  bool close_after_ = false;  ///< the connection ends with this answer
  bool peer_ended_ = false;   ///< the peer sends nothing more
  bool watching_ = false;
  bool watching_reset_ = false;
  bool writing_ = false;
  bool sending_ended_ = false;  ///< nothing more goes out
  std::uint32_t answered_ = 0;
  std::size_t discarded_ = 0;  ///< bytes read and dropped while lingering
  std::deque<piece> out_;
};

}  // namespace lorica
