#pragma once

#include <cstdint>

#include "core/error.hpp"
#include "core/server_info.hpp"
#include "core/value.hpp"
#include "net/openai_request.hpp"

namespace lorica {

/// Checks a body of `/v1/chat/completions` as `read_completion_request` does its own. The messages are taken
/// as they are: the template's side checks them. `body_bytes` is the size of the body.
result<openai_request> read_chat_request(const value& body, std::size_t body_bytes, const server_info& info,
                                         std::uint64_t seed);

/// The conversation of a body alone, for `/chat_tokenize`.
result<conversation_ptr> read_conversation(const value& body, std::size_t body_bytes);

}  // namespace lorica
