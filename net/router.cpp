#include "net/router.hpp"

namespace lorica {
namespace {

constexpr auto native = api_style::native;
constexpr auto openai = api_style::openai;
constexpr auto open = route_access::open;
constexpr auto key = route_access::key;

constexpr route routes[] = {
    {route_id::root_health, "GET", "/", native, open, "/"},
    {route_id::root_generate, "POST", "/", native, key, "/"},
    {route_id::health, "GET", "/health", native, open, "/health"},
    {route_id::ping, "GET", "/ping", native, open, "/ping"},
    {route_id::generate, "POST", "/generate", native, key, "/generate"},
    {route_id::generate_stream, "POST", "/generate_stream", native, key, "/generate_stream"},
    {route_id::completions, "POST", "/v1/completions", openai, key, "/v1/completions"},
    {route_id::tokenize, "POST", "/tokenize", native, key, "/tokenize"},
    {route_id::info, "GET", "/info", native, key, "/info"},
    {route_id::metrics, "GET", "/metrics", native, key, "/metrics"},
    {route_id::models, "GET", "/v1/models", openai, key, "/v1/models"},
    {route_id::model, "GET", "/v1/models/", openai, key, "/v1/models/{id}"},
};

bool takes_rest(const route& r) noexcept {
  return r.path.size() > 1 && r.path.back() == '/';
}

bool fits(const route& r, std::string_view path) noexcept {
  return takes_rest(r) ? path.size() > r.path.size() && path.starts_with(r.path) : path == r.path;
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
    if (!fits(r, path)) continue;
    path_exists = true;
    if (r.method != wanted) continue;
    if (!takes_rest(r)) return route_match{&r, {}};
    auto name = percent_decoded(path.substr(r.path.size()));
    if (!name) return fail(errc::malformed, "The path holds a broken %-escape");
    return route_match{&r, *std::move(name)};
  }
  if (path_exists) return fail(errc::wrong_method, "This path does not take that method");
  return fail(errc::unknown_route, "There is no such path");
}

std::string allowed_methods(std::string_view path) {
  std::string out;
  for (auto& r : routes)
    if (fits(r, path)) out.append(out.empty() ? "" : ", ").append(r.method == "GET" ? "GET, HEAD" : r.method);
  return out.empty() ? out : out + ", OPTIONS";
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
