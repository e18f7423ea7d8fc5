#pragma once

#include <string>

namespace lorica::testing {

/// A certificate for localhost and 127.0.0.1 that signs itself, and its key, made by the `openssl` command.
struct test_certificate {
  std::string cert;  ///< path of the PEM file
  std::string key;
};

/// Makes one in `folder`, its files named by `name`; throws std::runtime_error when there is no openssl.
/// `key_kind` is what its `-newkey` takes, with further options.
test_certificate make_certificate(const std::string& folder, const std::string& name,
                                  const std::string& key_kind = "ec -pkeyopt ec_paramgen_curve:P-256 -nodes");

}  // namespace lorica::testing
