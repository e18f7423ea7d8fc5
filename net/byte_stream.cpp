#include "net/byte_stream.hpp"

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/write.hpp>
#include <utility>

#include "net/tls_stream.hpp"

namespace lorica {

namespace asio = boost::asio;

namespace {

constexpr std::size_t read_size = 16 * 1024;

/// Reads what is there without waiting; `would_block` when it was a false alarm.
std::size_t read_ready(byte_stream::socket& wire, std::array<char, read_size>& into,
                       byte_stream::error_code& ec) {
  auto count = wire.read_some(asio::buffer(into), ec);
  if (ec == asio::error::try_again) ec = asio::error::would_block;
  return count;
}

/// Bytes as they are on the wire. Waits without a buffer, so that an idle connection holds none.
class plain_stream final : public byte_stream {
 public:
  explicit plain_stream(socket wire) : byte_stream(std::move(wire)) {}

  void open(on_done done) override { done({}); }

  void read(on_bytes take) override {
    wire().async_wait(socket::wait_read, [this, take = std::move(take)](error_code ec) mutable {
      if (ec) return take(ec, {});
      std::array<char, read_size> bytes;
      auto count = read_ready(wire(), bytes, ec);
      if (ec == asio::error::would_block) return read(std::move(take));
      take(ec, {bytes.data(), count});
    });
  }

  void write(std::string_view bytes, on_done done) override {
    asio::async_write(wire(), asio::buffer(bytes.data(), bytes.size()),
                      [done = std::move(done)](error_code ec, std::size_t) { done(ec); });
  }

  void end_sending(on_done done) override {
    shut_wire();
    done({});
  }
};

}  // namespace

void byte_stream::discard(std::function<void(error_code, std::size_t)> done) {
  wire_.async_wait(socket::wait_read, [this, done = std::move(done)](error_code ec) mutable {
    if (ec) return done(ec, 0);
    std::array<char, read_size> bytes;
    auto count = read_ready(wire_, bytes, ec);
    if (ec == asio::error::would_block) return discard(std::move(done));
    done(ec, count);
  });
}

void byte_stream::watch_for_reset(on_done done) {
  wire_.async_wait(socket::wait_error, std::move(done));
}

void byte_stream::shut_wire() {
  error_code ignored;
  wire_.shutdown(socket::shutdown_send, ignored);
}

void byte_stream::close() {
  error_code ignored;
  wire_.close(ignored);
}

std::unique_ptr<byte_stream> make_byte_stream(byte_stream::socket wire,
                                              std::shared_ptr<const tls_context> tls) {
  if (!tls) return std::make_unique<plain_stream>(std::move(wire));
  return make_tls_stream(std::move(wire), std::move(tls));
}

}  // namespace lorica
