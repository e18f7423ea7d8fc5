#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <functional>
#include <memory>
#include <string_view>

namespace lorica {

/// The bytes of one connection, plain or under TLS. Owned by its session and used on the strand of its
/// socket, which calls all handlers; they keep the session alive. One read and one write at a time. `close`
/// ends what is under way with an error.
class byte_stream {
 public:
  using socket = boost::asio::ip::tcp::socket;
  using error_code = boost::system::error_code;
  using on_bytes = std::function<void(error_code, std::string_view)>;
  using on_done = std::function<void(error_code)>;

  explicit byte_stream(socket wire) : wire_(std::move(wire)) {}
  virtual ~byte_stream() = default;
  byte_stream(const byte_stream&) = delete;
  byte_stream& operator=(const byte_stream&) = delete;

  /// What comes before the first byte: the handshake of TLS.
  virtual void open(on_done done) = 0;

  /// Some bytes, as soon as there are any; `asio::error::eof` when the peer has finished sending.
  virtual void read(on_bytes take) = 0;

  /// All of `bytes`, which stay where they are until then.
  virtual void write(std::string_view bytes, on_done done) = 0;

  /// Tells the peer that nothing follows. What it still sends is for `discard`.
  virtual void end_sending(on_done done) = 0;

  /// Reads and drops, as they come on the wire; no TLS is undone. Only after `end_sending`.
  void discard(std::function<void(error_code, std::size_t)> done);

  /// Told when the peer resets the connection.
  void watch_for_reset(on_done done);

  void close();

  const socket& wire() const noexcept { return wire_; }
  socket& wire() noexcept { return wire_; }

 protected:
  /// No more bytes to the peer, below any TLS.
  void shut_wire();

 private:
  socket wire_;
};

/// A stream over TLS for a server, or plain without.
class tls_context;
std::unique_ptr<byte_stream> make_byte_stream(byte_stream::socket wire,
                                              std::shared_ptr<const tls_context> tls);

}  // namespace lorica
