#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <cstdint>

#include "core/error.hpp"
#include "net/http_session.hpp"
#include "net/tls_context.hpp"

namespace lorica {

/// Accepts connections and starts their sessions. Closes those of an address that has too many, stops
/// accepting when there is no room at all and goes on when one ends; without file descriptors it sheds one
/// connection with a reserved descriptor and backs off. Lives on its own strand of the io threads; owned by
/// the server, which destroys it after they have ended.
class listener {
 public:
  /// `sessions` outlives it.
  listener(boost::asio::io_context& io, const http_session::world& sessions);
  ~listener();

  /// Binds and listens. Fails with `errc::bad_config` naming host and port.
  result<void> open(const std::string& host, std::uint16_t port);

  /// New connections are under this TLS, or plain when null. From any thread.
  void use(std::shared_ptr<const tls_context> tls);

  /// Starts to accept.
  void start();

  std::uint16_t port() const noexcept { return port_; }

  /// A connection has ended: there may be room again. From any thread.
  void make_room();

  /// Stops accepting; from any thread.
  void close();

 private:
  using error_code = boost::system::error_code;
  using tcp = boost::asio::ip::tcp;

  void accept();
  void on_accept(error_code ec, tcp::socket peer);
  void begin(tcp::socket peer);
  void shed();
  void back_off();

  boost::asio::io_context& io_;
  const http_session::world& world_;
  boost::asio::strand<boost::asio::io_context::executor_type> strand_;
  tcp::acceptor acceptor_;
  boost::asio::steady_timer timer_;  ///< of a back-off
  int reserved_;                     ///< a descriptor to give up when there is no other
  std::shared_ptr<const tls_context> tls_;
  bool waiting_for_room_ = false;
  std::uint16_t port_ = 0;
};

}  // namespace lorica
