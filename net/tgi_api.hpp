#pragma once

#include <memory>

#include "core/value.hpp"
#include "net/api_context.hpp"
#include "net/reply_channel.hpp"
#include "net/tgi_request.hpp"

namespace lorica {

/// Answers `/generate`, `/generate_stream` and `POST /`.
void answer_generate(api_context& context, const http_request& request, tgi_surface surface,
                     std::shared_ptr<reply_channel> channel);

/// The same where the body is read already.
void answer_generate(api_context& context, const http_request& request, const value& body,
                     tgi_surface surface, std::shared_ptr<reply_channel> channel);

}  // namespace lorica
