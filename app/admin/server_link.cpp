#include "app/admin/server_link.hpp"

#include <fmt/format.h>

#include <optional>

#include "app/admin/wording.hpp"
#include "core/json.hpp"

namespace lorica::admin {
namespace {

constexpr json_limits answer_limits{
    .max_bytes = std::size_t{64} << 20, .max_depth = 64, .max_values = 16'000'000};
constexpr std::size_t most_pages = 10'000;

bool is_good(const client_reply& reply) noexcept {
  return reply.status >= 200 && reply.status < 300;
}

errc code_of(int status) noexcept {
  switch (status) {
    case 401: return errc::unauthorized;
    case 403: return errc::forbidden;
    case 404: return errc::unknown_adapter;
    case 409: return errc::conflict;
    case 429: return errc::overloaded;
    case 503: return errc::unavailable;
    default: return errc::invalid;
  }
}

error strange(const std::string& place) {
  return fail(errc::malformed, "The answer of " + place + " is not what Lorica says; is --url right?");
}

}  // namespace

error refusal_in(const client_reply& reply, const std::string& place) {
  if (reply.status >= 300 && reply.status < 400)
    return fail(errc::malformed,
                fmt::format("{} redirects ({}), which is not followed; give --url the address itself", place,
                            reply.status));
  auto body = parse_json(reply.body, answer_limits);
  auto about = body ? body->find("error") : nullptr;
  std::string text, reason;
  if (about) {
    text = about->as_string() ? *about->as_string() : text_of(*about, "message");
    reason = text_of(*body, "error_type");
  }
  if (text.empty()) text = fmt::format("{} answers {} without a reason", place, reply.status);
  return fail(code_of(reply.status), std::move(text), std::move(reason));
}

result<server_link> server_link::open(http_client_options options) {
  auto http = http_client::open(std::move(options));
  if (!http) return http.error();
  return server_link(*std::move(http));
}

result<value> server_link::ask(std::string_view method, std::string target, std::string body,
                               const std::stop_token& stop) {
  auto reply = http_.send({.method = method, .target = std::move(target), .body = std::move(body)}, stop);
  if (!reply) return reply.error();
  if (!is_good(*reply)) return refusal_in(*reply, place());
  if (reply->body.empty()) return value();
  auto out = parse_json(reply->body, answer_limits);
  if (!out) return strange(place());
  return out;
}

result<value> server_link::get(std::string target, const std::stop_token& stop) {
  return ask("GET", std::move(target), {}, stop);
}

result<std::string> server_link::text(std::string target, const std::stop_token& stop) {
  auto reply = http_.send({.target = std::move(target), .accept = "*/*"}, stop);
  if (!reply) return reply.error();
  if (!is_good(*reply)) return refusal_in(*reply, place());
  return std::move(reply->body);
}

result<value::array> server_link::adapters(std::string_view query, const std::stop_token& stop) {
  value::array out;
  std::string after;
  for (std::size_t page = 0; page < most_pages; ++page) {
    std::string target = "/v1/adapters?limit=1000";
    if (!query.empty()) target += "&" + std::string(query);
    if (!after.empty()) target += "&after=" + url_part(after);
    auto got = get(std::move(target), stop);
    if (!got) return got.error();
    auto data = got->find("data");
    if (!data || !data->as_array()) return strange(place());
    out.insert(out.end(), data->as_array()->begin(), data->as_array()->end());
    auto next = text_of(*got, "next");
    if (next.empty()) return out;
    if (next <= after) break;  // it would never end
    after = std::move(next);
  }
  return strange(place());
}

result<client_reply> server_link::follow(const client_request& request,
                                         const std::function<stream_wish(const value&)>& take,
                                         const std::stop_token& stop, const std::function<void()>& begun) {
  bool is_strange = false;
  auto line = [&](std::string_view text) {
    if (!text.starts_with("data:")) return stream_wish::more;
    text.remove_prefix(text.starts_with("data: ") ? 6 : 5);
    auto event = parse_json(text);
    if (!event) is_strange = true;
    return event ? take(*event) : stream_wish::enough;
  };
  auto reply = http_.stream(request, line, stop, begun);
  if (!reply) return reply;
  if (is_strange) return strange(place());
  if (!is_good(*reply)) return refusal_in(*reply, place());
  return reply;
}

std::string adapter_target(std::string_view name, std::string_view rest) {
  return "/v1/adapters/" + url_part(name) + std::string(rest);
}

}  // namespace lorica::admin
