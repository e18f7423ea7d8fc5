#include "net/credentials.hpp"

#include "net/tls_context.hpp"

namespace lorica {

result<credentials> read_credentials(const credential_sources& from) {
  credentials out;
  auto clients = read_keys(from.api_key, from.api_key_file, "api-key-file");
  if (!clients) return clients.error();
  auto administration = read_keys(from.admin_api_key, from.admin_api_key_file, "admin-api-key-file");
  if (!administration) return administration.error();
  if (clients->overlaps(*administration))
    return fail(errc::bad_config,
                "A key of the administration is also one of the API's clients; every client could change "
                "adapters. Give different keys");
  out.clients = *std::move(clients);
  out.administration = *std::move(administration);
  if (from.tls_cert.empty() != from.tls_key.empty())
    return fail(errc::bad_config,
                "--tls-cert and --tls-key go together; give both, or neither for plain HTTP");
  if (from.tls_cert.empty()) return out;
  auto tls = tls_context::open(from.tls_cert, from.tls_key);
  if (!tls) return tls.error();
  out.tls = *std::move(tls);
  return out;
}

}  // namespace lorica
