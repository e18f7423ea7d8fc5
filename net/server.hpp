#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/adapter_service.hpp"
#include "core/error.hpp"
#include "core/generation_service.hpp"
#include "core/metrics.hpp"
#include "core/server_info.hpp"
#include "core/status_snapshot.hpp"
#include "core/tokenize_service.hpp"
#include "net/credentials.hpp"
#include "net/extra_routes.hpp"

namespace lorica {

/// Where to listen and the limits of connections and requests. Defaults are what production wants; tests
/// shorten the times.
struct server_options {
  std::string host = "127.0.0.1";              ///< IP address, or a name that resolves to one
  std::uint16_t port = 3000;                   ///< 0: a free one, see `server::port`
  credentials secrets;                         ///< keys and certificate
  std::vector<std::string> cors_allow_origin;  ///< exact origins; empty: no CORS headers at all
  extra_routes extra;                          ///< paths beside those of the table
  std::uint32_t io_threads = 1;
  std::uint32_t max_connections = 15'000;   ///< fewer where the process may not open so many descriptors
  std::uint32_t reserved_connections = 32;  ///< beyond those, for health and metrics only
  std::uint32_t max_connections_each_address = 0;  ///< 0: no limit but that of all
  std::uint64_t payload_limit = 2'000'000;         ///< bytes of one request body, see `front::body_limit`
  std::uint64_t max_body_bytes = 256'000'000;      ///< bytes of all bodies that are being read
  std::uint64_t max_prompt_bytes = 256'000'000;    ///< bytes of all prompts that are being answered
  std::uint32_t header_limit = 32 * 1024;          ///< bytes of request line and fields
  std::uint32_t target_limit = 8 * 1024;           ///< bytes of the request target
  std::uint32_t max_requests_per_connection = 1000;
  std::uint32_t output_limit = 256 * 1024;              ///< unsent bytes of one stream before it is saturated
  std::chrono::milliseconds handshake_timeout{10'000};  ///< for TLS to come about
  std::chrono::milliseconds header_timeout{10'000};     ///< for the whole header
  std::chrono::milliseconds reserved_timeout{2'000};    ///< the same on a reserved connection
  std::chrono::milliseconds body_timeout{15'000};       ///< between two reads of a body
  std::chrono::milliseconds body_grace{10'000};         ///< for a whole body, beside a second for each 16 KiB
  std::chrono::milliseconds write_timeout{30'000};      ///< for one write
  std::chrono::milliseconds drain_timeout{30'000};    ///< for a full stream to be read down to half its bound
  std::chrono::milliseconds idle_timeout{75'000};     ///< between two requests
  std::chrono::milliseconds linger_timeout{5'000};    ///< for the client to close after the last answer
  std::chrono::milliseconds heartbeat{15'000};        ///< silence on a stream before a comment
  std::chrono::milliseconds stream_patience{10'000};  ///< before a stream's head goes out without its facts
  std::chrono::milliseconds half_close_grace{
      3'000};  ///< a plain request goes on after the client's end of file
};

/// What the server needs of the rest of the program. The references outlive the server.
struct server_parts {
  generation_service& generations;
  tokenize_service& tokens;
  const status_service& status;
  metrics& counters;
  server_info info;
  adapter_service* adapters = nullptr;  ///< null: routes that need it answer 503
};

/// The HTTP front: listener, connections and routes on its own io threads. Owned by the program. Sinks that
/// it gave to `generations` stay valid after the server is gone; what they are told then is dropped. Order at
/// the end: `drain`, `wait_until_idle`, `stop`, and only then end the services.
class server {
 public:
  server(server_options options, server_parts parts);

  /// Stops.
  ~server();
  server(const server&) = delete;
  server& operator=(const server&) = delete;

  /// Binds, listens and starts the io threads; once. Readiness is not its business: routes answer from the
  /// status snapshot. Fails with `errc::bad_config` naming host and port.
  result<void> start();

  /// Other keys and another certificate for requests and connections from now on; from any thread. TLS is
  /// neither switched on nor off by it.
  void replace(credentials secrets);

  /// The port it listens on; 0 before `start`.
  std::uint16_t port() const noexcept;

  /// From now on new generation requests get 503 with `Retry-After` and `Connection: close`, and `/health` is
  /// 503. Running requests go on, streams of adapter events end. Idempotent, from any thread.
  void drain() noexcept;

  /// Requests that are being answered, until their last byte is written.
  std::uint64_t active_requests() const noexcept;

  /// Waits until no request is being answered, at most `limit`. True when none was left.
  bool wait_until_idle(std::chrono::milliseconds limit);

  /// Cancels what still runs, closes every connection, joins the io threads. Idempotent; not from a sink or
  /// an io thread.
  void stop() noexcept;

 private:
  struct state;
  std::unique_ptr<state> state_;
};

}  // namespace lorica
