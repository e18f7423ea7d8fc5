#include "net/front.hpp"

#include <algorithm>
#include <utility>

#include "net/adapter_api.hpp"
#include "net/docs_api.hpp"
#include "net/http_error.hpp"
#include "net/info_api.hpp"
#include "net/invocations_api.hpp"
#include "net/model_api.hpp"
#include "net/openai_api.hpp"
#include "net/request_id.hpp"
#include "net/tgi_api.hpp"
#include "net/tokenize_api.hpp"
#include "net/vertex_api.hpp"
#include "net/vllm_api.hpp"

namespace lorica {
namespace {

constexpr std::string_view all_methods = "GET, HEAD, PUT, POST, DELETE, OPTIONS";

std::optional<error> media_refusal(const http_request& head) {
  auto encoding = head.find("content-encoding");
  if (encoding && lower_case(*encoding) != "identity")
    return fail(errc::unsupported_media, "Content-Encoding is not taken; send the body as it is");
  // Clients without a type mean JSON: there is nothing else to send.
  auto type = head.find("content-type");
  if (type && !is_json(*type)) return fail(errc::unsupported_media, "Content-Type must be application/json");
  return std::nullopt;
}

bool generates(const route& r) noexcept {
  return r.id == route_id::root_generate || r.id == route_id::generate || r.id == route_id::generate_stream ||
         r.id == route_id::completions || r.id == route_id::chat || r.id == route_id::invocations ||
         r.id == route_id::vertex;
}

/// Prompts may be ids of tokens, which take more bytes than text.
bool takes_ids(const route& r) noexcept {
  return r.id == route_id::completions || r.id == route_id::invocations;
}

/// Routes that start something, which a server that ends does not take any more.
bool begins_work(const route& r) noexcept {
  return generates(r) || r.id == route_id::adapter_events || r.access == route_access::admin;
}

/// The client waits for a word before it sends its body, so that a refusal saves the body.
bool expects_word(const http_request& head) {
  return head.has_body && head.find("expect");
}

void set_field(http_reply& reply, std::string_view name, std::string value) {
  auto at = std::find_if(reply.fields.begin(), reply.fields.end(), [&](auto& f) { return f.name == name; });
  if (at == reply.fields.end())
    reply.fields.push_back({std::string(name), std::move(value)});
  else
    at->value = std::move(value);
}

}  // namespace

front::front(api_context& context, rights who, std::vector<std::string> cors_allow_origin,
             std::uint64_t payload_limit, extra_routes extra)
    : context_(context),
      rights_(std::make_shared<const rights>(std::move(who))),
      origins_(std::move(cors_allow_origin)),
      payload_limit_(payload_limit),
      extra_(std::move(extra)) {}

std::string_view front::path_of(const http_request& request) const noexcept {
  return extra_.meant(request.path());
}

result<route_match> front::route_of(const http_request& request) const {
  return find_route(request.method, path_of(request));
}

void front::replace(rights who) {
  auto fresh = std::make_shared<const rights>(std::move(who));
  std::lock_guard hold(changing_);
  rights_ = std::move(fresh);
}

std::shared_ptr<const rights> front::current_rights() const {
  std::lock_guard hold(changing_);
  return rights_;
}

std::optional<http_reply> front::check_head(const http_request& head) {
  auto style = style_of(path_of(head));
  if (head.method == "OPTIONS") return options(head);
  auto found = route_of(head);
  if (auto refusal = current_rights()->refusal(head, found ? found->where->access : route_access::key))
    return error_reply(style, *refusal);
  if (!found) {
    auto out = error_reply(style, found.error());
    if (found.error().code == errc::wrong_method)
      out.fields.push_back({"Allow", allowed_methods(path_of(head))});
    return out;
  }
  if (begins_work(*found->where) && closing())
    return error_reply(style, fail(errc::unavailable, "The server is shutting down"));
  if (generates(*found->where) && expects_word(head) && context_.gate.full())
    return error_reply(style, fail(errc::overloaded, "Model is overloaded"));
  if (found->where->method != "POST" && found->where->method != "PUT") return std::nullopt;
  if (auto refusal = media_refusal(head)) return error_reply(style, *refusal);
  return std::nullopt;
}

http_reply front::options(const http_request& head) const {
  http_reply out;
  out.status = 204;
  auto allowed = head.target == "*" ? std::string(all_methods) : allowed_methods(path_of(head));
  if (allowed.empty())
    return error_reply(style_of(path_of(head)), fail(errc::unknown_route, "There is no such path"));
  out.fields.push_back({"Allow", allowed});
  auto origin = head.find("origin");
  if (!origin || !allows_origin(*origin)) return out;
  out.fields.push_back({"Access-Control-Allow-Methods", allowed});
  out.fields.push_back({"Access-Control-Allow-Headers", "authorization, content-type, x-request-id"});
  out.fields.push_back({"Access-Control-Max-Age", "600"});
  return out;
}

audience front::reader_of(const http_request& request) const {
  return current_rights()->administrates(request) ? audience::administration : audience::client;
}

bool front::allows_origin(std::string_view origin) const {
  return std::find(origins_.begin(), origins_.end(), origin) != origins_.end();
}

void front::handle(const http_request& request, std::shared_ptr<reply_channel> channel) {
  auto found = route_of(request);
  if (!found) return channel->reply(error_reply(style_of(path_of(request)), found.error()));
  switch (found->where->id) {
    case route_id::root_health:
    case route_id::health:
    case route_id::ping: return channel->reply(show_health(context_));
    case route_id::root_generate:
      return answer_generate(context_, request, tgi_surface::root, std::move(channel));
    case route_id::generate:
      return answer_generate(context_, request, tgi_surface::plain, std::move(channel));
    case route_id::generate_stream:
      return answer_generate(context_, request, tgi_surface::stream, std::move(channel));
    case route_id::completions: return answer_completions(context_, request, std::move(channel));
    case route_id::chat: return answer_chat(context_, request, std::move(channel));
    case route_id::chat_tokenize: return answer_chat_tokenize(context_, request, std::move(channel));
    case route_id::invocations: return answer_invocations(context_, request, std::move(channel));
    case route_id::vertex: return answer_vertex(context_, request, std::move(channel));
    case route_id::tokenize: return answer_tokenize(context_, request, std::move(channel));
    case route_id::info: return channel->reply(show_info(context_));
    case route_id::metrics: return channel->reply(show_metrics(context_));
    case route_id::openapi:
    case route_id::api_doc: return channel->reply(show_openapi());
    case route_id::docs: return channel->reply(show_docs());
    case route_id::docs_file: return channel->reply(show_docs_file(found->name));
    case route_id::models: return channel->reply(list_models(context_, reader_of(request)));
    case route_id::model: return channel->reply(show_model(context_, found->name, reader_of(request)));
    case route_id::vllm_load: return answer_vllm_load(context_, request, std::move(channel));
    case route_id::vllm_unload: return answer_vllm_unload(context_, request, std::move(channel));
    default: return answer_adapters(context_, request, *found, reader_of(request), std::move(channel));
  }
}

http_reply front::refuse(const http_request& partial, const protocol_error& why) {
  auto out = error_reply(style_of(path_of(partial)), why.why, why.status);
  if (why.status == 405) {
    // The target of CONNECT is no path.
    auto allowed = allowed_methods(path_of(partial));
    out.fields.push_back({"Allow", allowed.empty() ? std::string(all_methods) : allowed});
  }
  out.close = true;
  return out;
}

bool front::is_vital(const http_request& head) const {
  auto found = route_of(head);
  if (!found) return false;
  auto id = found->where->id;
  return id == route_id::root_health || id == route_id::health || id == route_id::ping ||
         id == route_id::metrics;
}

std::uint64_t front::body_limit(const http_request& head) const {
  constexpr std::uint64_t unwanted = 64 * 1024;
  auto found = route_of(head);
  if (!found || (found->where->method != "POST" && found->where->method != "PUT")) return unwanted;
  return takes_ids(*found->where) ? payload_limit_ * 4 : payload_limit_;
}

void front::complete(const http_request& request, http_reply& reply) {
  std::vector<http_field> first{{"Date", date_.at(context_.unix_seconds())},
                                {"x-request-id", request.id},
                                {"x-model-id", context_.info.model_id}};
  reply.fields.insert(reply.fields.begin(), first.begin(), first.end());
  if (reply.status == 429)
    set_field(reply, "Retry-After", std::to_string(context_.gate.retry_after().count()));
  if (origins_.empty()) return;
  reply.fields.push_back({"Vary", "Origin"});
  auto origin = request.find("origin");
  if (!origin || !allows_origin(*origin)) return;
  reply.fields.push_back({"Access-Control-Allow-Origin", *origin});
  reply.fields.push_back(
      {"Access-Control-Expose-Headers",
       "x-request-id, x-model-id, x-adapter-id, x-adapter-version, x-adapter-tier, x-adapter-source, "
       "x-adapter-fallback, "
       "location, retry-after"});
}

void front::ended(const http_request& request, int status, std::chrono::nanoseconds duration) {
  auto found = route_of(request);
  context_.series.count(found ? found->where->path : "other", status, duration);
}

std::string front::new_id() {
  return random_id(context_.draw(), context_.draw());
}

}  // namespace lorica
