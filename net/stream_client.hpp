#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "core/error.hpp"
#include "net/http_client.hpp"

namespace lorica {

struct stream_client_options {
  std::string url = {};                        ///< `http://host[:port][/prefix]`
  std::string key = {};                        ///< sent as bearer; never part of an error. Empty: none
  std::chrono::milliseconds silence{600'000};  ///< the longest pause of an exchange
  std::size_t longest_line = 1 << 20;          ///< bytes
  std::uint64_t most_bytes = 1 << 30;          ///< of one answer's body
};

/// Who hears an exchange, always on the thread inside `stream_client::run`.
struct stream_listener {
  /// A line of the body of a 200, without its end; the view lives as long as the call.
  std::function<void(std::string_view)> line;

  /// Once, last. A reply of another status comes with the first 64 KiB of its body. Fails as `http_client`
  /// does.
  std::function<void(result<client_reply>)> ended;
};

/// Many POST exchanges with one server at once, on one thread, over connections that are kept between them:
/// what a load generator needs. Plain HTTP/1.1 only. Owned and used by one thread, from outside `run` or from
/// inside its callbacks.
class stream_client {
 public:
  using clock = std::chrono::steady_clock;

  /// Resolves the host. `errc::bad_config` when the address or the key cannot be one, `errc::io` when the
  /// name is not known.
  static result<stream_client> open(stream_client_options options);

  stream_client(stream_client&&) noexcept;
  stream_client& operator=(stream_client&&) noexcept;
  ~stream_client();

  /// Sends `body` (JSON) to `target`.
  void post(std::string_view target, std::string body, stream_listener listener);

  /// Calls `what` at that time, inside `run`.
  void at(clock::time_point when, std::function<void()> what);

  /// Returns when neither an exchange nor a time is left.
  void run();

  /// Connections made so far.
  std::uint64_t connections() const noexcept;

 private:
  struct implementation;
  explicit stream_client(std::unique_ptr<implementation> made);

  std::unique_ptr<implementation> here_;
};

}  // namespace lorica
