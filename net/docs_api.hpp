#pragma once

#include "net/http_message.hpp"

namespace lorica {

/// `GET /openapi.json`: docs/openapi.yaml as JSON.
http_reply show_openapi();

}  // namespace lorica
