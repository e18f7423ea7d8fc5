#pragma once

#include <string_view>

#include "net/adapter_reply.hpp"
#include "net/api_context.hpp"

namespace lorica {

/// `GET /v1/models`: the base first, then the adapters that are ready.
/// Their `root` is the source that was declared, if `reader` may see it, else the id.
http_reply list_models(const api_context& context, audience reader);

/// `GET /v1/models/{id}`: one card, or 404.
http_reply show_model(const api_context& context, std::string_view id, audience reader);

}  // namespace lorica
