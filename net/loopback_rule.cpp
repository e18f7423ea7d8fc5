#include "net/loopback_rule.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <cstdint>

namespace lorica {
namespace {

using ip6_bytes = std::array<std::uint8_t, 16>;

/// The address as IPv6 has it, IPv4 mapped (RFC 4291, 2.5.5.2); nothing when it is neither.
std::optional<ip6_bytes> parsed(std::string_view address) {
  const std::string text(address);
  ip6_bytes out{};
  if (inet_pton(AF_INET6, text.c_str(), out.data()) == 1) return out;
  out[10] = out[11] = 0xff;
  if (inet_pton(AF_INET, text.c_str(), out.data() + 12) == 1) return out;
  return std::nullopt;
}

bool is_port(std::string_view text) {
  return !text.empty() && text.size() <= 5 &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

bool speaks_for_others(const std::string& name) {
  return name == "origin" || name == "forwarded" || name == "via" || name == "x-real-ip" ||
         name.starts_with("x-forwarded-");
}

}  // namespace

bool is_loopback_address(std::string_view address) {
  auto bytes = parsed(address);
  if (!bytes) return false;
  constexpr ip6_bytes one{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  constexpr ip6_bytes mapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127};
  return *bytes == one || std::equal(mapped.begin(), mapped.begin() + 13, bytes->begin());
}

bool is_loopback_host(std::string_view host) {
  auto name_end = host.starts_with('[') ? host.find(']') : host.find(':');
  if (host.starts_with('[') && name_end != std::string_view::npos) ++name_end;
  auto name = host.substr(0, name_end);
  if (name.size() < host.size() && (host[name.size()] != ':' || !is_port(host.substr(name.size() + 1))))
    return false;
  if (name == "[::1]" || lower_case(name) == "localhost") return true;
  return name.find(':') == std::string_view::npos && is_loopback_address(name);
}

std::optional<std::string> not_from_here(const http_request& request) {
  if (!is_loopback_address(request.peer)) return "the caller is not on this machine";
  for (auto& f : request.fields)
    if (speaks_for_others(f.name)) return "the request has the field " + f.name;
  auto host = request.find("host");
  if (!host || !is_loopback_host(*host)) return "Host is not a name of the loopback";
  return std::nullopt;
}

}  // namespace lorica
