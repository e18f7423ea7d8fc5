#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "net/http_message.hpp"
#include "net/request_handler.hpp"

namespace lorica {

/// What a header must satisfy beyond its grammar: one Host, no field that could be read in two ways, a target
/// that names a path. Nothing when all is well.
std::optional<protocol_error> header_refusal(const http_request& head);

/// The target without scheme and authority, if it has them and they name `host`; nothing when they name
/// another.
std::optional<std::string> origin_form(std::string_view target, std::string_view host);

}  // namespace lorica
