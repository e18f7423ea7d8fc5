#include "net/rights.hpp"

#include "net/loopback_rule.hpp"

namespace lorica {

std::optional<error> rights::refusal(const http_request& request, route_access needed) const {
  if (needed == route_access::open) return std::nullopt;
  // Both are compared always: time does not tell which key a guess came near to.
  bool admin = admin_.is_set() && admin_.allows(request);
  bool client = api_.allows(request);
  if (admin) return std::nullopt;
  if (needed == route_access::admin && admin_.is_set())
    return fail(errc::unauthorized, "The administration's key is missing or wrong");
  if (!client) return fail(errc::unauthorized, "The API key is missing or wrong");
  if (needed == route_access::key) return std::nullopt;
  auto why = not_from_here(request);
  if (!why) return std::nullopt;
  return fail(errc::forbidden,
              "Without --admin-api-key this route answers only to callers on this machine: " + *why,
              "admin_key_required");
}

bool rights::administrates(const http_request& request) const {
  return !refusal(request, route_access::admin);
}

}  // namespace lorica
