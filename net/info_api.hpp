#pragma once

#include "net/api_context.hpp"
#include "net/http_message.hpp"

namespace lorica {

/// `/health`, `/ping`, `GET /`: 200 with an empty body while requests can be served, else 503.
http_reply show_health(const api_context& context);

/// `/info`: names and limits, the superset of TGI's and LoRAX's fields that have a meaning here.
http_reply show_info(const api_context& context);

/// `/metrics` in Prometheus text format.
http_reply show_metrics(const api_context& context);

}  // namespace lorica
