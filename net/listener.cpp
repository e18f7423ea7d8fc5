#include "net/listener.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <utility>

#include "core/log.hpp"

namespace lorica {

namespace asio = boost::asio;

namespace {

constexpr auto pause = std::chrono::milliseconds(100);
constexpr int backlog = 4096;

int spare_descriptor() {
  return ::open("/dev/null", O_RDONLY | O_CLOEXEC);
}

std::string reason(const boost::system::error_code& ec) {
  if (ec == asio::error::address_in_use) return "the address is in use";
  if (ec == asio::error::access_denied) return "this needs a privilege; ports from 1024 on do not";
  if (ec == boost::system::errc::address_not_available) return "the address is not one of this machine";
  return "the system refuses it";
}

}  // namespace

listener::listener(asio::io_context& io, const http_session::world& sessions)
    : io_(io),
      world_(sessions),
      strand_(asio::make_strand(io)),
      acceptor_(strand_),
      timer_(strand_),
      reserved_(spare_descriptor()) {}

listener::~listener() {
  if (reserved_ >= 0) ::close(reserved_);
}

result<void> listener::open(const std::string& host, std::uint16_t port) {
  auto refused = [&](std::string_view why) {
    return fail(errc::bad_config, fmt::format("Cannot listen on {}:{}: {}", host, port, why));
  };
  error_code ec;
  tcp::resolver resolver(io_);
  auto found = resolver.resolve(host, std::to_string(port), tcp::resolver::passive, ec);
  if (ec || found.empty()) return refused("the name does not resolve to an address");
  auto v4 = std::find_if(found.begin(), found.end(), [](auto& e) { return e.endpoint().address().is_v4(); });
  auto endpoint = (v4 == found.end() ? found.begin() : v4)->endpoint();
  acceptor_.open(endpoint.protocol(), ec);
  if (!ec) acceptor_.set_option(tcp::acceptor::reuse_address(true), ec);
  if (!ec) acceptor_.bind(endpoint, ec);
  if (!ec) acceptor_.listen(backlog, ec);
  if (ec) return refused(reason(ec));
  port_ = acceptor_.local_endpoint(ec).port();
  return {};
}

void listener::use(std::shared_ptr<const tls_context> tls) {
  asio::post(strand_, [this, tls = std::move(tls)]() mutable { tls_ = std::move(tls); });
}

void listener::start() {
  asio::post(strand_, [this] { accept(); });
}

void listener::make_room() {
  asio::post(strand_, [this] {
    if (std::exchange(waiting_for_room_, false)) accept();
  });
}

void listener::close() {
  asio::post(strand_, [this] {
    error_code ignored;
    acceptor_.close(ignored);
    timer_.cancel();
  });
}

void listener::accept() {
  if (!acceptor_.is_open()) return;
  waiting_for_room_ = !world_.registry.has_room();
  if (waiting_for_room_) return;
  acceptor_.async_accept(asio::make_strand(io_),
                         [this](error_code ec, tcp::socket peer) { on_accept(ec, std::move(peer)); });
}

void listener::on_accept(error_code ec, tcp::socket peer) {
  if (!acceptor_.is_open()) return;
  if (ec == asio::error::no_descriptors || ec == boost::system::errc::too_many_files_open_in_system)
    return shed();
  if (ec && ec != asio::error::connection_aborted) return back_off();
  if (!ec) begin(std::move(peer));
  accept();
}

void listener::begin(tcp::socket peer) {
  error_code ec;
  auto end = peer.remote_endpoint(ec);
  if (ec) return;  // it has left already
  auto address = end.address().to_string();
  auto stream = make_byte_stream(std::move(peer), tls_);
  auto session = std::make_shared<http_session>(std::move(stream), address, world_);
  if (auto kind = world_.registry.add(session, address_group(address)))
    session->start(*kind);
  else
    log_debug("a connection is dropped: its address has too many, or there is no room");
}

// A connection that cannot be accepted would wake the acceptor without end: take it on the reserved
// descriptor, drop it, and give others time to end.
void listener::shed() {
  log_warn("out of file descriptors: dropping a connection");
  if (reserved_ >= 0) ::close(reserved_);
  int dropped = ::accept4(acceptor_.native_handle(), nullptr, nullptr, SOCK_CLOEXEC);
  if (dropped >= 0) ::close(dropped);
  reserved_ = spare_descriptor();
  back_off();
}

void listener::back_off() {
  timer_.expires_after(pause);
  timer_.async_wait([this](error_code ec) {
    if (!ec) accept();
  });
}

}  // namespace lorica
