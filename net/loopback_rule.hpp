#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "net/http_message.hpp"

namespace lorica {

/// True for the text of an address of this machine's loopback: 127.0.0.0/8, ::1, and IPv4 mapped into IPv6.
bool is_loopback_address(std::string_view address);

/// True for a `Host` that names the loopback: `localhost`, an address of 127.0.0.0/8 in full, or `[::1]`,
/// each with or without a port.
bool is_loopback_host(std::string_view host);

/// Why `request` does not count as made by somebody at this machine; nothing when it does. The peer of the
/// connection must be on the loopback. A browser (`Origin`), a proxy (`Forwarded`, `X-Forwarded-*`,
/// `X-Real-IP`, `Via`) or another name of this machine (`Host`) may speak for somebody else.
std::optional<std::string> not_from_here(const http_request& request);

}  // namespace lorica
