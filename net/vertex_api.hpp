#pragma once

#include <memory>

#include "net/api_context.hpp"
#include "net/http_message.hpp"
#include "net/reply_channel.hpp"

namespace lorica {

/// Answers Vertex AI's `{"instances": […]}` with `{"predictions": [text, …]}`: up to `max_client_batch_size`
/// bodies of `/generate` (with `inputs`) and of `/v1/chat/completions` (with `messages`) that run side by
/// side, each with parameters and an adapter of its own. A chat has one choice.
void answer_vertex(api_context& context, const http_request& request, std::shared_ptr<reply_channel> channel);

}  // namespace lorica
