#include "core/sha256.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <stdexcept>

namespace lorica {

struct sha256::state {
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context{EVP_MD_CTX_new(), &EVP_MD_CTX_free};
};

sha256::sha256() : state_(std::make_unique<state>()) {
  begin();
}

void sha256::begin() {
  if (!state_->context || EVP_DigestInit_ex(state_->context.get(), EVP_sha256(), nullptr) != 1)
    throw std::runtime_error("SHA-256 is not available");
}

sha256::~sha256() {
  state_.reset();
  // OpenSSL keeps state for every thread that used it and frees it when the thread ends. Threads of actors
  // are not joined, so one could still be at that while the process takes OpenSSL apart.
  OPENSSL_thread_stop();
}

void sha256::update(std::span<const std::byte> bytes) {
  if (EVP_DigestUpdate(state_->context.get(), bytes.data(), bytes.size()) != 1)
    throw std::runtime_error("SHA-256 failed");
}

void sha256::update(std::string_view text) {
  update(std::as_bytes(std::span(text.data(), text.size())));
}

std::array<std::uint8_t, 32> sha256::finish() {
  std::array<std::uint8_t, 32> out{};
  unsigned size = 0;
  if (EVP_DigestFinal_ex(state_->context.get(), out.data(), &size) != 1 || size != out.size())
    throw std::runtime_error("SHA-256 failed");
  begin();
  return out;
}

}  // namespace lorica
