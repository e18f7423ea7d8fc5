#pragma once

#include <array>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <chrono>
#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "net/exchange.hpp"
#include "net/request_handler.hpp"
#include "net/request_parser.hpp"
#include "net/server.hpp"
#include "net/session_registry.hpp"

namespace lorica {

/// One connection: reads requests, has them answered one after the other and writes the answers. It lives on
/// its strand, kept alive by what it waits for, and ends with the peer, a deadline, an error or the server.
/// One write is in flight at most; while an answer is made the socket is watched for the peer's leaving.
class http_session final : public std::enable_shared_from_this<http_session> {
 public:
  using socket = boost::asio::ip::tcp::socket;

  /// What all connections share; outlives them.
  struct world {
    request_handler& handler;
    session_registry& registry;
    const server_options& options;
  };

  /// `peer`'s executor is a strand of its own.
  http_session(socket peer, const world& all);

  /// Begins to read; once, from any thread.
  void start();

  /// Ends the connection; from any thread.
  void close_soon();

 private:
  using clock = std::chrono::steady_clock;
  using error_code = boost::system::error_code;

  /// What is read for: a request, the peer's end while an answer is made, or the rest of what is not wanted.
  enum class phase : std::uint8_t { request, answer, linger, closed };

  /// What follows once the bytes of an outgoing piece are written.
  enum class after : std::uint8_t { go_on, answer_complete, break_off };

  struct piece {
    std::string bytes;
    std::size_t event_bytes = 0;  ///< of its bytes, those that count as unsent
    after then = after::go_on;
  };

  struct deadlines {
    std::optional<clock::time_point> reading;  ///< header, body, idle or lingering
    std::optional<clock::time_point> body_total;
    std::optional<clock::time_point> writing;
    std::optional<clock::time_point> heartbeat;
    std::optional<clock::time_point> gone;  ///< the grace after the peer's end of file
  };

  void next_request();
  void parse();
  void on_header();
  void expect_body();
  void answer();
  void refuse(const protocol_error& why);

  void watch();
  void on_readable(error_code ec);
  void on_bytes(std::string_view bytes);
  void on_end_of_file();
  void watch_for_reset();

  void take(const std::shared_ptr<exchange>& from, reply_message message);
  void take_message(whole_reply message);
  void take_message(stream_head message);
  void take_message(stream_event message);
  void take_message(stream_end message);
  void take_message(stream_break message);
  void write_reply(http_reply reply);
  void send_heartbeat();
  bool worn_out();

  void push(piece p);
  void write_next();
  void on_written(error_code ec);
  void answer_ended();

  void arm_timer();
  void on_timer(error_code ec);
  std::optional<clock::time_point> earliest() const;

  void end_input();
  void close();

  socket socket_;
  std::string peer_;  ///< the other end's IP address
  const world& world_;
  boost::asio::steady_timer timer_;
  std::optional<clock::time_point> armed_;
  deadlines due_;
  phase phase_ = phase::request;
  request_parser parser_;
  http_request request_;                ///< that is being answered
  std::shared_ptr<exchange> exchange_;  ///< its way back
  admission::activity activity_;
  clock::time_point began_;
  int status_ = 0;  ///< of the answer, once its head is on its way
  bool streaming_ = false;
  bool close_after_ = false;  ///< the connection ends with this answer
  bool peer_ended_ = false;   ///< the peer sends nothing more
  bool watching_ = false;
  bool writing_ = false;
  std::uint32_t answered_ = 0;
  std::size_t discarded_ = 0;  ///< bytes read and dropped while lingering
  std::deque<piece> out_;
};

}  // namespace lorica
