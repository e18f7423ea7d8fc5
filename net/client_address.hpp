#pragma once

#include <optional>
#include <string>

#include "core/error.hpp"

namespace lorica {

/// A server's address as a client is given it.
struct client_address {
  std::string scheme;               ///< `http` or `https`
  std::string host;                 ///< IPv6 in brackets
  std::optional<std::string> port;  ///< as it was given
  std::string path;                 ///< begins with a slash, ends without one; empty: none
  std::string url;                  ///< whole, without a slash at its end

  /// `host:port` or `host`, for texts.
  std::string place() const { return port ? host + ":" + *port : host; }
};

/// `errc::bad_config` when it is none, or holds what an address of a server does not: a user, a query.
result<client_address> read_address(const std::string& url);

/// `errc::bad_config` when the key cannot be one. It is never part of the text.
std::optional<error> check_key(const std::string& key);

}  // namespace lorica
