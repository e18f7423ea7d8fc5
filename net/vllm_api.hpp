#pragma once

#include <memory>

#include "net/api_context.hpp"
#include "net/reply_channel.hpp"

namespace lorica {

/// `POST /v1/load_lora_adapter`: answers when the adapter is loaded or refused, in vLLM's words.
void answer_vllm_load(api_context& context, const http_request& request,
                      std::shared_ptr<reply_channel> channel);

/// `POST /v1/unload_lora_adapter`: answers when the name is refused to new requests; running ones end well.
void answer_vllm_unload(api_context& context, const http_request& request,
                        std::shared_ptr<reply_channel> channel);

}  // namespace lorica
