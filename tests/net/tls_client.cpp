#include "tests/net/tls_client.hpp"

#include <openssl/x509.h>

#include <array>

namespace lorica::testing {

tls_client::tls_client(std::uint16_t port, const tls_wishes& wishes)
    : raw_client(port), context_(SSL_CTX_new(TLS_client_method()), &SSL_CTX_free), tls_(nullptr, &SSL_free) {
  auto* c = context_.get();
  SSL_CTX_set_security_level(c, 0);  // so that it may offer what the server must not take
  SSL_CTX_set_min_proto_version(c, wishes.least_version);
  SSL_CTX_set_max_proto_version(c, wishes.most_version);
  if (!wishes.trusted.empty()) {
    SSL_CTX_load_verify_locations(c, wishes.trusted.c_str(), nullptr);
    SSL_CTX_set_verify(c, SSL_VERIFY_PEER, nullptr);
  }
  tls_.reset(SSL_new(c));
  if (!wishes.alpn.empty())
    SSL_set_alpn_protos(tls_.get(), reinterpret_cast<const unsigned char*>(wishes.alpn.data()),
                        static_cast<unsigned>(wishes.alpn.size()));
  SSL_set_fd(tls_.get(), fd());
  open_ = SSL_connect(tls_.get()) == 1;
}

tls_client::~tls_client() = default;

std::string tls_client::protocol() const {
  const unsigned char* text = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(tls_.get(), &text, &size);
  return {reinterpret_cast<const char*>(text), size};
}

std::string tls_client::version() const {
  return SSL_get_version(tls_.get());
}

std::string tls_client::peer_name() const {
  std::unique_ptr<X509, void (*)(X509*)> peer(SSL_get1_peer_certificate(tls_.get()), &X509_free);
  std::array<char, 64> name{};
  X509_NAME_get_text_by_NID(X509_get_subject_name(peer.get()), NID_commonName, name.data(),
                            static_cast<int>(name.size()));
  return name.data();
}

bool tls_client::ended_well() const {
  return (SSL_get_shutdown(tls_.get()) & SSL_RECEIVED_SHUTDOWN) != 0;
}

void tls_client::half_close() {
  SSL_shutdown(tls_.get());
}

std::ptrdiff_t tls_client::write_some(std::string_view bytes) {
  return open_ ? SSL_write(tls_.get(), bytes.data(), static_cast<int>(bytes.size())) : -1;
}

std::ptrdiff_t tls_client::read_some(char* into, std::size_t size) {
  return open_ ? SSL_read(tls_.get(), into, static_cast<int>(size)) : -1;
}

}  // namespace lorica::testing
