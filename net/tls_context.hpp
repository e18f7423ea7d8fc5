#pragma once

#include <memory>
#include <string>

#include "core/error.hpp"

namespace lorica {

/// Certificate, key and the rules of TLS connections of a server: TLS 1.2 and 1.3, forward secrecy, ALPN
/// `http/1.1`. Immutable; connections share it.
class tls_context {
 public:
  /// Reads PEM files: the certificate with the chain behind it, and its key without a passphrase. Fails with
  /// `errc::bad_config` naming the setting and the file's last name.
  static result<std::shared_ptr<const tls_context>> open(const std::string& cert_path,
                                                         const std::string& key_path);
  ~tls_context();
  tls_context(const tls_context&) = delete;
  tls_context& operator=(const tls_context&) = delete;

  struct implementation;
  implementation& inside() const noexcept { return *here_; }

 private:
  explicit tls_context(std::unique_ptr<implementation> made);
  std::unique_ptr<implementation> here_;
};

}  // namespace lorica
