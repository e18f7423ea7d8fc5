#include "net/stream_client.hpp"

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/buffers_range.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <set>
#include <utility>
#include <vector>

#include "net/client_address.hpp"
#include "net/stream_body.hpp"

namespace lorica {

namespace asio = boost::asio;
namespace beast = boost::beast;
using tcp = asio::ip::tcp;
using error_code = boost::system::error_code;

namespace {

constexpr std::uint32_t most_field_bytes = 64 * 1024;
constexpr auto look_around = std::chrono::seconds(1);

/// A connection and what came over it that nobody has read yet.
struct connection {
  explicit connection(asio::io_context& io) : wire(io) {}

  tcp::socket wire;
  beast::flat_buffer bytes;
  bool used = false;  ///< by an exchange before
};

/// One exchange under way.
struct exchange {
  std::string request;
  stream_listener listener;
  std::unique_ptr<connection> over = {};
  std::unique_ptr<beast::http::response_parser<stream_body>> parser = {};
  std::function<void(std::string_view)> line = {};
  stream_client::clock::time_point latest = {};  ///< sign of life
  bool connected = false;
  bool answered = false;  ///< something came
  bool silent = false;    ///< ended for its silence
};

}  // namespace

struct stream_client::implementation {
  stream_client_options options;
  std::string place;
  std::string head;  ///< between the target and the length
  std::string prefix;
  asio::io_context io{1};
  tcp::resolver::results_type endpoints = {};
  std::vector<std::unique_ptr<connection>> idle = {};
  std::set<std::shared_ptr<exchange>> open = {};
  asio::steady_timer watch{io};
  std::uint64_t connections = 0;

  using held = std::shared_ptr<exchange>;

  void begin(const held& now);
  void write(const held& now);
  void read(const held& now);
  void end(const held& now, const error_code& ec);
  result<client_reply> outcome(exchange& now, const error_code& ec) const;
  void look_for_silence();
};

void stream_client::implementation::begin(const held& now) {
  now->latest = clock::now();
  if (!idle.empty()) {
    now->over = std::move(idle.back());
    idle.pop_back();
    now->connected = true;
    return write(now);
  }
  now->over = std::make_unique<connection>(io);
  ++connections;
  asio::async_connect(now->over->wire, endpoints, [this, now](const error_code& ec, const tcp::endpoint&) {
    if (ec) return end(now, ec);
    now->connected = true;
    error_code ignored;
    now->over->wire.set_option(tcp::no_delay(true), ignored);
    write(now);
  });
}

void stream_client::implementation::write(const held& now) {
  asio::async_write(now->over->wire, asio::buffer(now->request),
                    [this, now](const error_code& ec, std::size_t) {
                      if (ec) return end(now, ec);
                      read(now);
                    });
}

void stream_client::implementation::read(const held& now) {
  now->parser = std::make_unique<beast::http::response_parser<stream_body>>();
  now->parser->header_limit(most_field_bytes);
  now->parser->body_limit(options.most_bytes);
  now->line = [e = now.get()](std::string_view text) {
    e->latest = clock::now();
    e->answered = true;
    if (e->listener.line) e->listener.line(text);
  };
  auto& body = now->parser->get().body();
  body.line = &now->line;
  body.longest_line = options.longest_line;
  beast::http::async_read(now->over->wire, now->over->bytes, *now->parser,
                          [this, now](const error_code& ec, std::size_t) { end(now, ec); });
}

result<client_reply> stream_client::implementation::outcome(exchange& now, const error_code& ec) const {
  auto broken = [&](const std::string& how) {
    return fail(errc::malformed, "The answer of " + place + " " + how);
  };
  if (now.silent) return fail(errc::timeout, "The server at " + place + " does not answer in time");
  if (now.parser && now.parser->get().body().too_long)
    return broken("has a line beyond " + std::to_string(options.longest_line) + " bytes");
  if (!ec && now.parser) {
    auto& message = now.parser->get();
    client_reply out;
    out.status = static_cast<int>(message.result_int());
    out.body = std::move(message.body().text);
    return out;
  }
  if (!now.connected) return fail(errc::io, "Nobody answers at " + place);
  using http = beast::http::error;
  if (ec == http::body_limit)
    return broken("is larger than " + std::to_string(options.most_bytes) + " bytes");
  if (ec == http::header_limit) return broken("has a head beyond 64 KiB");
  if (ec == http::end_of_stream) return broken("is missing: it closed the connection");
  if (ec.category() == beast::http::make_error_code(http::bad_version).category() &&
      ec != http::partial_message)
    return broken("is not HTTP");
  return broken("broke off");
}

void stream_client::implementation::end(const held& now, const error_code& ec) {
  // A kept connection may have been closed by the server meanwhile, before it read anything of this.
  bool stale = ec && now->over->used && !now->answered && !now->silent &&
               (!now->parser || (!now->parser->got_some() && ec != beast::http::error::header_limit));
  if (stale) {
    now->parser.reset();
    now->connected = false;
    idle.clear();
    return begin(now);
  }
  auto said = outcome(*now, ec);
  if (!ec && now->parser && now->parser->keep_alive() && now->over->bytes.size() == 0) {
    now->over->used = true;
    idle.push_back(std::move(now->over));
  }
  open.erase(now);
  if (open.empty()) watch.cancel();
  if (now->listener.ended) now->listener.ended(std::move(said));
}

void stream_client::implementation::look_for_silence() {
  watch.expires_after(look_around);
  watch.async_wait([this](const error_code& ec) {
    if (ec || open.empty()) return;
    for (auto& e : open) {
      if (clock::now() - e->latest < options.silence) continue;
      e->silent = true;
      error_code ignored;
      e->over->wire.close(ignored);
    }
    look_for_silence();
  });
}

result<stream_client> stream_client::open(stream_client_options options) {
  auto address = read_address(options.url);
  if (!address) return address.error();
  if (address->scheme != "http")
    return fail(errc::bad_config,
                "The server's address begins with '" + address->scheme + "://'; it is http://HOST:PORT", {},
                "url");
  if (auto bad = check_key(options.key)) return *std::move(bad);
  auto made = std::make_unique<implementation>();
  made->place = address->place();
  error_code ec;
  tcp::resolver resolver(made->io);
  auto host = address->host;
  if (host.starts_with('[')) host = host.substr(1, host.size() - 2);
  made->endpoints = resolver.resolve(host, address->port.value_or("80"), ec);
  if (ec) return fail(errc::io, "The name of " + made->place + " is not known");
  made->prefix = address->path;
  made->head = " HTTP/1.1\r\nHost: " + made->place +
               "\r\nUser-Agent: lorica\r\nAccept: text/event-stream\r\nContent-Type: application/json\r\n";
  if (!options.key.empty()) made->head += "Authorization: Bearer " + options.key + "\r\n";
  made->options = std::move(options);
  return stream_client(std::move(made));
}

stream_client::stream_client(std::unique_ptr<implementation> made) : here_(std::move(made)) {}
stream_client::stream_client(stream_client&&) noexcept = default;
stream_client& stream_client::operator=(stream_client&&) noexcept = default;
stream_client::~stream_client() = default;

void stream_client::post(std::string_view target, std::string body, stream_listener listener) {
  auto now = std::make_shared<exchange>();
  now->request.reserve(here_->head.size() + body.size() + target.size() + 64);
  now->request.append("POST ").append(here_->prefix).append(target).append(here_->head);
  now->request.append("Content-Length: ").append(std::to_string(body.size())).append("\r\n\r\n").append(body);
  now->listener = std::move(listener);
  bool first = here_->open.empty();
  here_->open.insert(now);
  if (first) here_->look_for_silence();
  here_->begin(now);
}

void stream_client::at(clock::time_point when, std::function<void()> what) {
  auto timer = std::make_shared<asio::steady_timer>(here_->io, when);
  timer->async_wait([timer, what = std::move(what)](const error_code& ec) {
    if (!ec) what();
  });
}

void stream_client::run() {
  here_->io.restart();
  here_->io.run();
}

std::uint64_t stream_client::connections() const noexcept {
  return here_->connections;
}

}  // namespace lorica
