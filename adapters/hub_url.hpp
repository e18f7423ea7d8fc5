#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace lorica {

/// An http or https address in its parts. Made only by the functions below, so that what is checked and what
/// is asked for are the same.
struct hub_url {
  bool secure = true;      ///< https
  std::string host;        ///< lower case; an IPv6 address without its brackets
  std::uint16_t port = 0;  ///< never 0
  std::string target;      ///< path and query; begins with '/', no fragment

  /// `https://host[:port]/target`.
  std::string text() const;
};

/// Scheme, host and port are the same.
bool same_origin(const hub_url& a, const hub_url& b) noexcept;

/// An absolute address of at most 8192 visible ASCII characters. Nothing for other schemes, user names, bad
/// hosts and ports.
std::optional<hub_url> parse_hub_url(std::string_view text);

/// What a `Location` or `Link` in the reply of `base` means: absolute, `//host/…`, `/…`, `?…` or relative to
/// the folder of `base`.
std::optional<hub_url> resolve_reference(const hub_url& base, std::string_view reference);

/// True when the reference has no host of its own.
bool is_relative_reference(std::string_view reference) noexcept;

/// Everything but letters, digits and `-._~` as %XX.
std::string percent_encoded(std::string_view part);

/// `host` is `domain` or ends with it after a dot.
bool is_below_domain(std::string_view host, std::string_view domain) noexcept;

}  // namespace lorica
