#pragma once

#include <optional>
#include <string_view>

#include "core/error.hpp"
#include "net/auth.hpp"
#include "net/http_message.hpp"
#include "net/router.hpp"

namespace lorica {

/// Who may use which route. The administration's key opens every route, the key of the API all but those that
/// change adapters; without a key of the API those are open. Without an administration's key, who is at this
/// machine (see `not_from_here`) and has the key of the API, if there is one, counts as administration.
/// Immutable.
class rights {
 public:
  /// Empty keys are not configured.
  rights(std::string_view api_key, std::string_view admin_key) : api_(api_key), admin_(admin_key) {}

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
