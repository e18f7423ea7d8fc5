#include "tests/net/test_certificate.hpp"

#include <cstdlib>
#include <stdexcept>

namespace lorica::testing {

test_certificate make_certificate(const std::string& folder, const std::string& name,
                                  const std::string& key_kind) {
  test_certificate out{folder + "/" + name + ".crt", folder + "/" + name + ".key"};
  auto command = "openssl req -x509 -days 2 -subj /CN=" + name +
                 " -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -newkey " + key_kind + " -keyout '" +
                 out.key + "' -out '" + out.cert + "' >/dev/null 2>&1";
  if (std::system(command.c_str()) != 0) throw std::runtime_error("openssl cannot make a certificate");
  return out;
}

}  // namespace lorica::testing
