#include "net/auth.hpp"

namespace lorica {
namespace {

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

bool auth::allows(const http_request& request) const {
  return keys_.empty() || keys_.holds(bearer(request));
}

}  // namespace lorica
