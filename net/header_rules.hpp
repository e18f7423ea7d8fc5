#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "net/http_message.hpp"
#include "net/request_handler.hpp"

namespace lorica {

/// What a header must satisfy beyond its grammar: one right Host, no field that could be read in two ways, a
/// method that exists, a target that names a path of ours. Nothing when all is well; `head`'s target is then
/// in origin form (a path), or `*`.
std::optional<protocol_error> header_refusal(http_request& head);

/// Whether the connection goes on after the answer: 1.1 without `close` among the words of `Connection`.
/// HTTP/1.0 is answered and closed, whatever it asks for.
bool keeps_connection(const http_request& head);

/// True for `host`, `host:port` and `[v6]:port`: letters, digits and `-._~`, no user, no list.
bool is_authority(std::string_view text) noexcept;

}  // namespace lorica
