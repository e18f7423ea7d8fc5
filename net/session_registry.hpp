#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace lorica {

class http_session;

/// How many connections there may be.
struct connection_limits {
  std::size_t ordinary = 15'000;
  std::size_t reserved = 32;     ///< beyond those, for what must be answered under full load
  std::size_t each_address = 0;  ///< from one address; 0: no limit
};

/// What a connection may ask for.
enum class connection_kind : std::uint8_t { ordinary, reserved };

/// The open connections: how many there are and from where, and all of them at the end. Thread-safe; owned by
/// the server.
class session_registry {
 public:
  /// `changed` hears the count after each change, in order, from any io thread; it must not call back.
  session_registry(const connection_limits& limits, std::function<void(std::size_t)> changed)
      : limits_(limits), changed_(std::move(changed)) {}

  /// Nothing when the connection must end at once: its address has too many, there is no room at all, or
  /// `close_all` was called. `address` is what counts together, see `address_group`.
  std::optional<connection_kind> add(const std::shared_ptr<http_session>& session, std::string address);
  void remove(http_session* session);
  std::size_t count() const;

  /// True while another connection may be accepted.
  bool has_room() const;

  /// True when three quarters of the ordinary connections are taken: idle ones should not stay long.
  bool is_pressed() const;

  /// Closes what is open and refuses what comes.
  void close_all();

 private:
  struct entry {
    std::weak_ptr<http_session> session;
    std::string address;
    connection_kind kind;
  };

  const connection_limits limits_;
  std::function<void(std::size_t)> changed_;
  mutable std::mutex changing_;  // guards what follows; io threads add and remove
  std::unordered_map<http_session*, entry> open_;
  std::unordered_map<std::string, std::size_t> by_address_;  // of those that are open
  std::size_t ordinary_ = 0;
  bool closed_ = false;
};

/// What counts as one address: an IPv4 address, or the first 64 bits of an IPv6 address, which is what a site
/// gets. `address` is an IP address as text.
std::string address_group(const std::string& address);

}  // namespace lorica
