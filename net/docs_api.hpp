#pragma once

#include <string_view>

#include "net/http_message.hpp"

namespace lorica {

/// `GET /openapi.json`: docs/openapi.yaml as JSON.
http_reply show_openapi();

/// `GET /docs`: a page that shows the description to people. It loads from this server only.
http_reply show_docs();

/// `GET /docs/{file}`: what the page consists of; 404 for another name.
http_reply show_docs_file(std::string_view name);

}  // namespace lorica
