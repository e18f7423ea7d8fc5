#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/error.hpp"
#include "net/http_message.hpp"

namespace lorica {

/// Whose words an answer uses: TGI's and LoRAX's routes, or OpenAI's.
enum class api_style : std::uint8_t { native, openai };

/// Status of an error on routes of a style.
int status_of(api_style style, const error& why) noexcept;

/// The body: `{"error","error_type"}` or `{"error":{"message","type","param","code"},"error_type"}`.
std::string error_body(api_style style, const error& why);

/// The answer to a request that failed before its first byte, with the fields that belong to the status
/// (`Retry-After`, `WWW-Authenticate`).
http_reply error_reply(api_style style, const error& why);

/// As above under a status of the protocol's own (414, 417, 501) that no `errc` stands for.
http_reply error_reply(api_style style, const error& why, int status);

/// An OpenAI error object whose `type` is another word than that of the table.
http_reply typed_error_reply(std::string_view type, const error& why);

/// A refusal of a field, with TGI's prefix: status 422 on native routes, 400 on OpenAI's.
error invalid_field(std::string text, std::string param);

}  // namespace lorica
