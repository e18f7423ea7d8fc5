#pragma once

#include <optional>
#include <utility>

#include "core/error.hpp"
#include "net/auth.hpp"
#include "net/credentials.hpp"
#include "net/http_message.hpp"
#include "net/router.hpp"

namespace lorica {

/// Who may use which route. The administration's keys open every route, the keys of the API all but those
/// that change adapters; without a key of the API those are open. Without an administration's key, who is at
/// this machine (see `not_from_here`) and has the key of the API, if there is one, counts as administration.
/// Immutable.
class rights {
 public:
  /// Empty lists are not configured.
  rights(key_list api_keys, key_list admin_keys) : api_(std::move(api_keys)), admin_(std::move(admin_keys)) {}
  explicit rights(credentials secrets)
      : rights(std::move(secrets.clients), std::move(secrets.administration)) {}

  /// Why `request` may not use a route: `errc::unauthorized`, or `errc::forbidden` with the reason
  /// `admin_key_required`. Nothing when it may.
  std::optional<error> refusal(const http_request& request, route_access needed) const;

  /// True when `request` may use the routes of the administration.
  bool administrates(const http_request& request) const;

 private:
  auth api_;
  auth admin_;
};

}  // namespace lorica
