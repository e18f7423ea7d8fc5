#include "net/docs_api.hpp"

#include <algorithm>
#include <optional>
#include <string>

#include "net/embedded_files.hpp"
#include "net/http_error.hpp"

namespace lorica {
namespace {

constexpr std::string_view page = "docs.html";

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

http_reply show_docs() {
  auto out = file_reply("text/html; charset=utf-8", content_of(page).value_or(""));
  out.fields.push_back({"Content-Security-Policy",
                        "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"});
  out.fields.push_back({"Referrer-Policy", "no-referrer"});
  return out;
}

http_reply show_docs_file(std::string_view name) {
  auto content = content_of(name);
  if (content && name.ends_with(".css")) return file_reply("text/css; charset=utf-8", *content);
  if (content && name.ends_with(".js")) return file_reply("text/javascript; charset=utf-8", *content);
  if (content && name.ends_with(".svg")) return file_reply("image/svg+xml", *content);
  return error_reply(api_style::native, fail(errc::unknown_route, "There is no such path"));
}

}  // namespace lorica
