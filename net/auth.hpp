#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "net/http_message.hpp"

namespace lorica {

/// Knows one key as a hash and compares in time that does not depend on what was sent.
/// Immutable.
class auth {
 public:
  /// An empty key lets everybody in.
  explicit auth(std::string_view key);

  /// True when the request carries the key as `Authorization: Bearer <key>`, or none is needed.
  bool allows(const http_request& request) const;

  /// False when the key is empty.
  bool is_set() const noexcept { return digest_.has_value(); }

 private:
  std::optional<std::array<std::uint8_t, 32>> digest_;
};

}  // namespace lorica
