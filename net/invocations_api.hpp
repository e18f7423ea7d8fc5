#pragma once

#include <memory>

#include "net/api_context.hpp"
#include "net/http_message.hpp"
#include "net/reply_channel.hpp"

namespace lorica {

/// Answers SageMaker's `/invocations`: the body's shape says which route is meant, in TGI's order: `inputs`
/// is `POST /`, `messages` chat, `prompt` `/v1/completions`; `stream` decides as it does there.
void answer_invocations(api_context& context, const http_request& request,
                        std::shared_ptr<reply_channel> channel);

}  // namespace lorica
