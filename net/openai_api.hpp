#pragma once

#include <memory>

#include "net/api_context.hpp"
#include "net/reply_channel.hpp"

namespace lorica {

/// Answers `POST /v1/completions`.
void answer_completions(api_context& context, const http_request& request,
                        std::shared_ptr<reply_channel> channel);

/// Answers `POST /v1/chat/completions`.
void answer_chat(api_context& context, const http_request& request, std::shared_ptr<reply_channel> channel);

}  // namespace lorica
