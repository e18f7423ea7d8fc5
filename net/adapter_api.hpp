#pragma once

#include <memory>

#include "net/adapter_reply.hpp"
#include "net/api_context.hpp"
#include "net/reply_channel.hpp"
#include "net/router.hpp"

namespace lorica {

/// Answers the routes below `/v1/adapters` and `/v1/adapter_jobs`. `found` is one of them; the rights have
/// been checked. What a client started goes on when it leaves.
void answer_adapters(api_context& context, const http_request& request, const route_match& found,
                     audience reader, std::shared_ptr<reply_channel> channel);

}  // namespace lorica
