#include "net/server.hpp"

#include <algorithm>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <exception>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "core/clock.hpp"
#include "core/log.hpp"
#include "net/connection_cap.hpp"
#include "net/front.hpp"
#include "net/http_series.hpp"
#include "net/listener.hpp"
#include "net/request_id.hpp"
#include "net/rights.hpp"

namespace lorica {
namespace {

namespace asio = boost::asio;

std::int64_t unix_seconds() {
  auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::seconds>(now).count();
}

}  // namespace

struct server::state {
  state(server_options o, server_parts parts)
      : options(std::move(o)),
        limits{connection_cap(options.max_connections, options.reserved_connections),
               options.reserved_connections, options.max_connections_each_address},
        series(parts.counters),
        bodies(options.max_body_bytes),
        gate(parts.info.max_concurrent_requests, options.max_prompt_bytes),
        context{parts.generations,
                parts.tokens,
                parts.status,
                parts.adapters,
                feeds,
                std::move(parts.info),
                gate,
                series,
                clock,
                unix_seconds,
                random_bits},
        routes(context, rights(options.secrets), options.cors_allow_origin, options.payload_limit,
               options.extra),
        registry(limits, [this](std::size_t open) { connections_changed(open); }),
        io(static_cast<int>(std::max(options.io_threads, 1u))),
        world{routes, registry, bodies, options},
        entrance(io, world) {}

  void connections_changed(std::size_t open) {
    series.connections(open);
    if (open + 1 >= limits.ordinary + limits.reserved) entrance.make_room();
  }

  // A handler that throws ends its own work, never a thread.
  void run() noexcept {
    while (true) {
      try {
        io.run();
        return;
      } catch (const std::exception&) {
        log_error("an io thread met an unexpected failure and goes on");
      }
    }
  }

  // In the order in which they depend on each other; `io` after what its handlers use.
  const server_options options;
  const connection_limits limits;
  steady_clock_source clock;
  http_series series;
  const byte_budget bodies;
  admission gate;
  event_feeds feeds;
  api_context context;
  front routes;
  session_registry registry;
  asio::io_context io;
  const http_session::world world;
  listener entrance;
  std::optional<asio::executor_work_guard<asio::io_context::executor_type>> busy;
  std::vector<std::thread> threads;
};

server::server(server_options options, server_parts parts)
    : state_(std::make_unique<state>(std::move(options), std::move(parts))) {}

server::~server() {
  stop();
}

result<void> server::start() {
  auto& s = *state_;
  if (auto opened = s.entrance.open(s.options.host, s.options.port); !opened) return opened;
  log_debug("listening on {}:{}", s.options.host, port());
  if (s.limits.ordinary < s.options.max_connections)
    log_warn("at most {} connections at once, since this process may open no more descriptors (ulimit -n)",
             s.limits.ordinary);
  s.entrance.use(s.options.secrets.tls);
  s.busy.emplace(s.io.get_executor());
  s.entrance.start();
  for (std::uint32_t i = 0; i < std::max(s.options.io_threads, 1u); ++i)
    s.threads.emplace_back([&s] { s.run(); });
  return {};
}

std::uint16_t server::port() const noexcept {
  return state_->entrance.port();
}
void server::replace(credentials secrets) {
  auto& s = *state_;
  if ((s.options.secrets.tls != nullptr) == (secrets.tls != nullptr)) s.entrance.use(secrets.tls);
  s.routes.replace(rights(std::move(secrets)));
}
void server::drain() noexcept {
  state_->gate.drain();
  state_->feeds.end_all();
}
std::uint64_t server::active_requests() const noexcept {
  return state_->gate.active();
}

bool server::wait_until_idle(std::chrono::milliseconds limit) {
  return state_->gate.wait_until_idle(limit);
}

void server::stop() noexcept {
  auto& s = *state_;
  if (s.threads.empty()) return;
  s.gate.drain();
  s.entrance.close();
  s.registry.close_all();
  // Without connections and listener there is nothing to wait for: the threads run out of work.
  s.busy.reset();
  for (auto& t : s.threads)
    t.join();
  s.threads.clear();
}

}  // namespace lorica
