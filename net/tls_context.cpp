#include "net/tls_context.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <boost/asio/buffer.hpp>
#include <string_view>

#include "net/secret_file.hpp"
#include "net/tls_stream.hpp"

namespace lorica {

namespace asio = boost::asio;
using boost::system::error_code;

namespace {

constexpr std::string_view our_protocol = "http/1.1";
constexpr std::size_t most_pem_bytes = 1 << 20;

error bad(std::string_view setting, const std::string& path, std::string_view why) {
  return fail(errc::bad_config,
              std::string("--").append(setting).append(": the file '" + last_name(path) + "' ").append(why));
}

/// Takes ours out of what a client offers (RFC 7301); one that wants only others gets no connection.
int choose_protocol(SSL*, const unsigned char** out, unsigned char* out_size, const unsigned char* offered,
                    unsigned size, void*) {
  for (unsigned at = 0; at < size;) {
    unsigned length = offered[at];
    if (length > size - at - 1) break;
    if (std::string_view(reinterpret_cast<const char*>(offered) + at + 1, length) == our_protocol) {
      *out = offered + at + 1;
      *out_size = static_cast<unsigned char>(length);
      return SSL_TLSEXT_ERR_OK;
    }
    at += length + 1;
  }
  return SSL_TLSEXT_ERR_ALERT_FATAL;
}

bool set_rules(SSL_CTX* tls) {
  SSL_CTX_set_options(tls, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                               SSL_OP_PRIORITIZE_CHACHA);
  // An idle connection gives its buffers back.
  SSL_CTX_set_mode(tls, SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_alpn_select_cb(tls, &choose_protocol, nullptr);
  constexpr auto ciphers = "ECDHE+AESGCM:ECDHE+CHACHA20";  // of TLS 1.2; all of 1.3 are good
  return SSL_CTX_set_min_proto_version(tls, TLS1_2_VERSION) == 1 &&
         SSL_CTX_set_cipher_list(tls, ciphers) == 1;
}

}  // namespace

tls_context::tls_context(std::unique_ptr<implementation> made) : here_(std::move(made)) {}
tls_context::~tls_context() = default;

result<std::shared_ptr<const tls_context>> tls_context::open(const std::string& cert_path,
                                                             const std::string& key_path) {
  auto cert = read_secret_file(cert_path, "tls-cert", most_pem_bytes);
  if (!cert) return cert.error();
  auto key = read_secret_file(key_path, "tls-key", most_pem_bytes);
  if (!key) return key.error();
  auto made = std::make_unique<implementation>();
  auto& context = made->context;
  if (!set_rules(context.native_handle())) return fail(errc::internal, "TLS cannot be set up");
  error_code ec;
  context.use_certificate_chain(asio::buffer(*cert), ec);
  if (ec) return bad("tls-cert", cert_path, "holds no certificate in PEM, or one that is too weak");
  bool wants_passphrase = false;
  // Asked for a passphrase we have none; the program must not ask the terminal.
  context.set_password_callback(
      [&wants_passphrase](std::size_t, asio::ssl::context::password_purpose) {
        wants_passphrase = true;
        return std::string();
      },
      ec);
  if (!ec) context.use_private_key(asio::buffer(*key), asio::ssl::context::pem, ec);
  // That of a certificate's key is compared with the certificate while it is read.
  auto mismatch = ERR_GET_REASON(static_cast<unsigned long>(ec.value())) == X509_R_KEY_VALUES_MISMATCH ||
                  ERR_GET_REASON(static_cast<unsigned long>(ec.value())) == X509_R_KEY_TYPE_MISMATCH;
  if (wants_passphrase) return bad("tls-key", key_path, "is encrypted; give a key without a passphrase");
  if (ec && !mismatch) return bad("tls-key", key_path, "holds no private key in PEM");
  if (ec || SSL_CTX_check_private_key(context.native_handle()) != 1) {
    ERR_clear_error();
    return bad("tls-key", key_path, "does not belong to the certificate of --tls-cert");
  }
  return std::shared_ptr<const tls_context>(new tls_context(std::move(made)));
}

}  // namespace lorica
