#include "net/router.hpp"

#include <algorithm>
#include <iterator>

namespace lorica {
namespace {

constexpr auto native = api_style::native;
constexpr auto openai = api_style::openai;
constexpr auto open = route_access::open;
constexpr auto key = route_access::key;

constexpr auto admin = route_access::admin;

constexpr route routes[] = {
    {route_id::root_health, "GET", "/", native, open},
    {route_id::root_generate, "POST", "/", native, key},
    {route_id::health, "GET", "/health", native, open},
    {route_id::ping, "GET", "/ping", native, open},
    {route_id::generate, "POST", "/generate", native, key},
    {route_id::generate_stream, "POST", "/generate_stream", native, key},
    {route_id::completions, "POST", "/v1/completions", openai, key},
    {route_id::chat, "POST", "/v1/chat/completions", openai, key},
    {route_id::invocations, "POST", "/invocations", native, key},
    {route_id::vertex, "POST", "/vertex", native, key},
    {route_id::tokenize, "POST", "/tokenize", native, key},
    {route_id::chat_tokenize, "POST", "/chat_tokenize", native, key},
    {route_id::info, "GET", "/info", native, key},
    {route_id::metrics, "GET", "/metrics", native, key},
    {route_id::openapi, "GET", "/openapi.json", native, key},
    {route_id::api_doc, "GET", "/api-doc/openapi.json", native, key},
    {route_id::docs, "GET", "/docs", native, open},
    {route_id::docs_file, "GET", "/docs/{file}", native, open},
    {route_id::models, "GET", "/v1/models", openai, key},
    {route_id::model, "GET", "/v1/models/{id}", openai, key},
    {route_id::vllm_load, "POST", "/v1/load_lora_adapter", openai, admin},
    {route_id::vllm_unload, "POST", "/v1/unload_lora_adapter", openai, admin},
    {route_id::adapters, "GET", "/v1/adapters", openai, key},
    {route_id::declare_adapters, "PUT", "/v1/adapters", openai, admin},
    {route_id::adapter_events, "GET", "/v1/adapters/events", openai, key},
    {route_id::adapter, "GET", "/v1/adapters/{name}", openai, key},
    {route_id::put_adapter, "PUT", "/v1/adapters/{name}", openai, admin},
    {route_id::delete_adapter, "DELETE", "/v1/adapters/{name}", openai, admin},
    {route_id::pin_adapter, "POST", "/v1/adapters/{name}/pin", openai, admin},
    {route_id::unpin_adapter, "POST", "/v1/adapters/{name}/unpin", openai, admin},
    {route_id::pause_adapter, "POST", "/v1/adapters/{name}/pause", openai, admin},
    {route_id::resume_adapter, "POST", "/v1/adapters/{name}/resume", openai, admin},
    {route_id::prefetch_adapter, "POST", "/v1/adapters/{name}/prefetch", openai, admin},
    {route_id::evict_adapter, "POST", "/v1/adapters/{name}/evict", openai, admin},
    {route_id::adapter_jobs, "GET", "/v1/adapter_jobs", openai, key},
    {route_id::adapter_job, "GET", "/v1/adapter_jobs/{id}", openai, key},
    {route_id::cancel_adapter_job, "DELETE", "/v1/adapter_jobs/{id}", openai, admin},
};

/// What stands for the `{…}` of a route; empty where there is none, nothing when the path does not fit.
std::optional<std::string_view> name_in(const route& r, std::string_view path) noexcept {
  auto brace = r.path.find('{');
  if (brace == std::string_view::npos)
    return path == r.path ? std::optional(std::string_view()) : std::nullopt;
  auto before = r.path.substr(0, brace), behind = r.path.substr(r.path.find('}') + 1);
  if (path.size() <= before.size() + behind.size()) return std::nullopt;
  if (!path.starts_with(before) || !path.ends_with(behind)) return std::nullopt;
  return path.substr(before.size(), path.size() - before.size() - behind.size());
}

int hex_digit(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

result<route_match> find_route(std::string_view method, std::string_view path) {
  auto wanted = method == "HEAD" ? std::string_view("GET") : method;
  bool path_exists = false;
  for (auto& r : routes) {
    auto raw = name_in(r, path);
    if (!raw) continue;
    path_exists = true;
    if (r.method != wanted) continue;
    auto name = percent_decoded(*raw);
    if (!name) return fail(errc::malformed, "The path holds a broken %-escape, or %00");
    return route_match{&r, *std::move(name)};
  }
  if (path_exists) return fail(errc::wrong_method, "This path does not take that method");
  return fail(errc::unknown_route, "There is no such path");
}

std::string allowed_methods(std::string_view path) {
  std::string out;
  for (auto method : {"GET", "PUT", "POST", "DELETE"}) {
    auto fits = [&](const route& r) { return r.method == method && name_in(r, path); };
    if (std::none_of(std::begin(routes), std::end(routes), fits)) continue;
    if (!out.empty()) out += ", ";
    out += method == std::string_view("GET") ? "GET, HEAD" : method;
  }
  return out.empty() ? out : out + ", OPTIONS";
}

std::span<const route> all_routes() noexcept {
  return routes;
}

api_style style_of(std::string_view path) noexcept {
  return path == "/v1" || path.starts_with("/v1/") ? openai : native;
}

std::optional<std::string> percent_decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    if (i + 2 >= text.size()) return std::nullopt;
    int high = hex_digit(text[i + 1]), low = hex_digit(text[i + 2]);
    if (high < 0 || low < 0 || (high == 0 && low == 0)) return std::nullopt;
    out += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return out;
}

}  // namespace lorica
