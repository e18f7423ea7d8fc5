#include "core/sha1.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <stdexcept>

namespace lorica {

struct sha1::state {
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context{EVP_MD_CTX_new(), &EVP_MD_CTX_free};
};

sha1::sha1() : state_(std::make_unique<state>()) {
  if (!state_->context || EVP_DigestInit_ex(state_->context.get(), EVP_sha1(), nullptr) != 1)
    throw std::runtime_error("SHA-1 is not available");
}

sha1::~sha1() {
  state_.reset();
  // As in sha256: threads of actors are not joined and must leave no state of OpenSSL behind.
  OPENSSL_thread_stop();
}

void sha1::update(std::span<const std::byte> bytes) {
  if (EVP_DigestUpdate(state_->context.get(), bytes.data(), bytes.size()) != 1)
    throw std::runtime_error("SHA-1 failed");
}

void sha1::update(std::string_view text) {
  update(std::as_bytes(std::span(text.data(), text.size())));
}

std::array<std::uint8_t, 20> sha1::finish() {
  std::array<std::uint8_t, 20> out{};
  unsigned size = 0;
  if (EVP_DigestFinal_ex(state_->context.get(), out.data(), &size) != 1 || size != out.size())
    throw std::runtime_error("SHA-1 failed");
  return out;
}

}  // namespace lorica
