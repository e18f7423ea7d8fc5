#include "net/auth.hpp"

#include "core/sha256.hpp"

namespace lorica {
namespace {

std::array<std::uint8_t, 32> digest_of(std::string_view text) {
  sha256 hash;
  hash.update(text);
  return hash.finish();
}

std::string_view bearer(const http_request& request) {
  constexpr std::string_view scheme = "bearer ";
  auto field = request.find("authorization");
  if (!field || request.count("authorization") != 1) return {};
  auto text = std::string_view(*field);
  if (text.size() < scheme.size() || lower_case(text.substr(0, scheme.size())) != scheme) return {};
  text.remove_prefix(scheme.size());
  while (!text.empty() && text.front() == ' ')
    text.remove_prefix(1);
  return text;
}

}  // namespace

auth::auth(std::string_view key) {
  if (!key.empty()) digest_ = digest_of(key);
}

bool auth::allows(const http_request& request) const {
  if (!digest_) return true;
  // Hashing both sides makes the lengths equal; every byte is looked at.
  auto given = digest_of(bearer(request));
  unsigned different = 0;
  for (std::size_t i = 0; i < given.size(); ++i)
    different |= static_cast<unsigned>(given[i] ^ (*digest_)[i]);
  return different == 0;
}

}  // namespace lorica
