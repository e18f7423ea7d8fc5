#pragma once

#include <memory>
#include <string_view>

#include "core/value.hpp"
#include "net/adapter_reply.hpp"
#include "net/api_context.hpp"
#include "net/reply_channel.hpp"

namespace lorica {

/// Answers `POST /v1/completions`.
void answer_completions(api_context& context, const http_request& request,
                        std::shared_ptr<reply_channel> channel);

/// The same where the body is read already.
void answer_completions(api_context& context, const http_request& request, const value& body,
                        std::shared_ptr<reply_channel> channel);

/// `GET /v1/models`: the base first, then the adapters that are ready.
/// Their `root` is the source that was declared, if `reader` may see it, else the id.
http_reply list_models(const api_context& context, audience reader);

/// `GET /v1/models/{id}`: one card, or 404.
http_reply show_model(const api_context& context, std::string_view id, audience reader);

}  // namespace lorica
