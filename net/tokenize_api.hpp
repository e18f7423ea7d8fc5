#pragma once

#include <memory>

#include "net/api_context.hpp"
#include "net/reply_channel.hpp"

namespace lorica {

/// Answers `/tokenize`: the tokens of `inputs`.
void answer_tokenize(api_context& context, const http_request& request,
                     std::shared_ptr<reply_channel> channel);

/// Answers `/chat_tokenize`: the tokens of what the base's chat template makes of a chat's body, and its
/// text.
void answer_chat_tokenize(api_context& context, const http_request& request,
                          std::shared_ptr<reply_channel> channel);

}  // namespace lorica
