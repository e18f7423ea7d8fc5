#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <string>

#include "tests/net/raw_client.hpp"

namespace lorica::testing {

/// How a client wants its TLS.
struct tls_wishes {
  std::string trusted = {};  ///< PEM file of what is trusted; empty: anything
  std::string alpn = {};  ///< protocols as they are on the wire, each behind its length; empty: none offered
  int least_version = 0;  ///< 0: the library's
  int most_version = 0;
};

/// A `raw_client` over TLS.
class tls_client final : public raw_client {
 public:
  explicit tls_client(std::uint16_t port, const tls_wishes& wishes = {});
  ~tls_client() override;

  /// False when no connection came about; nothing can be sent then.
  bool is_open() const noexcept { return open_; }

  std::string protocol() const;  ///< that ALPN chose
  std::string version() const;
  std::string peer_name() const;  ///< CN of the server's certificate

  /// True when the server ended with TLS's own end and not only by closing; after `at_end`.
  bool ended_well() const;

  /// Sends TLS's own end; reading goes on.
  void half_close() override;

 protected:
  std::ptrdiff_t write_some(std::string_view bytes) override;
  std::ptrdiff_t read_some(char* into, std::size_t size) override;

 private:
  std::unique_ptr<SSL_CTX, void (*)(SSL_CTX*)> context_;
  std::unique_ptr<SSL, void (*)(SSL*)> tls_;
  bool open_ = false;
};

}  // namespace lorica::testing
