#include "net/tls_stream.hpp"

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>
#include <utility>

namespace lorica {

namespace asio = boost::asio;

namespace {

class tls_stream final : public byte_stream {
 public:
  tls_stream(socket wire, std::shared_ptr<const tls_context> tls)
      : byte_stream(std::move(wire)), tls_(std::move(tls)), stream_(this->wire(), tls_->inside().context) {}

  void open(on_done done) override {
    stream_.async_handshake(asio::ssl::stream_base::server, std::move(done));
  }

  void read(on_bytes take) override {
    stream_.async_read_some(asio::buffer(bytes_),
                            [this, take = std::move(take)](error_code ec, std::size_t count) {
                              // Many clients leave without TLS's own end; requests tell theirs themselves.
                              if (ec == asio::ssl::error::stream_truncated) ec = asio::error::eof;
                              take(ec, {bytes_.data(), count});
                            });
  }

  void write(std::string_view bytes, on_done done) override {
    asio::async_write(stream_, asio::buffer(bytes.data(), bytes.size()),
                      [done = std::move(done)](error_code ec, std::size_t) { done(ec); });
  }

  // Sends TLS's own end and then the wire's, without waiting for the peer's: what comes now is not read as
  // TLS.
  void end_sending(on_done done) override {
    auto* tls = stream_.native_handle();
    SSL_set_shutdown(tls, SSL_get_shutdown(tls) | SSL_RECEIVED_SHUTDOWN);
    stream_.async_shutdown([this, done = std::move(done)](error_code) {
      shut_wire();
      done({});
    });
  }

 private:
  std::shared_ptr<const tls_context> tls_;
  asio::ssl::stream<socket&> stream_;
  std::array<char, 4096> bytes_;
};

}  // namespace

std::unique_ptr<byte_stream> make_tls_stream(byte_stream::socket wire,
                                             std::shared_ptr<const tls_context> tls) {
  return std::make_unique<tls_stream>(std::move(wire), std::move(tls));
}

}  // namespace lorica
