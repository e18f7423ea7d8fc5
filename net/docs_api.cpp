#include "net/docs_api.hpp"

#include <algorithm>
#include <optional>
#include <string>

#include "net/embedded_files.hpp"

namespace lorica {
namespace {

std::optional<std::string_view> content_of(std::string_view name) {
  auto files = embedded_files();
  auto at = std::find_if(files.begin(), files.end(), [=](auto& file) { return file.name == name; });
  return at == files.end() ? std::nullopt : std::optional(at->content);
}

http_reply file_reply(std::string_view content_type, std::string_view content) {
  http_reply out;
  out.content_type = content_type;
  out.body = content;
  // What a browser kept may be that of an older server.
  out.fields.push_back({"Cache-Control", "no-cache"});
  out.fields.push_back({"X-Content-Type-Options", "nosniff"});
  return out;
}

}  // namespace

http_reply show_openapi() {
  return file_reply("application/json", content_of("openapi.json").value_or("{}"));
}

}  // namespace lorica
