#pragma once

#include <utility>

#include "net/http_message.hpp"
#include "net/key_list.hpp"

namespace lorica {

/// Compares what requests carry with a list of keys, in time that does not depend on what was sent.
/// Immutable.
class auth {
 public:
  /// An empty list lets everybody in.
  explicit auth(key_list keys) : keys_(std::move(keys)) {}

  /// True when the request carries a key as `Authorization: Bearer <key>`, or none is needed.
  bool allows(const http_request& request) const;

  /// False when there is no key.
  bool is_set() const noexcept { return !keys_.empty(); }

 private:
  key_list keys_;
};

}  // namespace lorica
