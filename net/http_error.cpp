#include "net/http_error.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "core/json.hpp"

namespace lorica {
namespace {

constexpr std::string_view generation_prefix = "Request failed during generation: ";
constexpr std::string_view template_prefix = "Template error: ";

struct error_row {
  errc code;
  int openai_status;
  std::string_view openai_type;
  int native_status;
  std::string_view native_type;
};

// The only place that knows what an error looks like on the wire.
constexpr error_row rows[] = {
    {errc::malformed, 400, "BadRequestError", 400, "validation"},
    {errc::invalid, 400, "BadRequestError", 422, "validation"},
    {errc::unknown_adapter, 404, "NotFoundError", 404, "validation"},
    {errc::conflict, 409, "ConflictError", 409, "validation"},
    {errc::bad_adapter, 400, "BadRequestError", 424, "generation"},
    {errc::bad_model, 500, "InternalServerError", 424, "generation"},
    {errc::bad_config, 500, "InternalServerError", 424, "generation"},
    {errc::unauthorized, 401, "authentication_error", 401, "authentication"},
    {errc::forbidden, 403, "PermissionDeniedError", 403, "authentication"},
    {errc::overloaded, 429, "rate_limit_error", 429, "overloaded"},
    {errc::payload_too_large, 413, "BadRequestError", 413, "validation"},
    {errc::unsupported_media, 415, "BadRequestError", 415, "validation"},
    {errc::unknown_route, 404, "NotFoundError", 404, "validation"},
    {errc::wrong_method, 405, "BadRequestError", 405, "validation"},
    {errc::header_too_large, 431, "BadRequestError", 431, "validation"},
    {errc::out_of_memory, 500, "InternalServerError", 424, "generation"},
    {errc::generation_failed, 500, "InternalServerError", 424, "generation"},
    {errc::incomplete, 500, "InternalServerError", 500, "incomplete_generation"},
    {errc::unavailable, 503, "unavailable_error", 503, "healthcheck"},
    {errc::cancelled, 500, "InternalServerError", 500, "incomplete_generation"},
    {errc::timeout, 504, "InternalServerError", 504, "incomplete_generation"},
    {errc::io, 500, "InternalServerError", 424, "generation"},
    {errc::unsupported, 400, "BadRequestError", 422, "validation"},
    {errc::template_failed, 400, "BadRequestError", 422, "template_error"},
    {errc::internal, 500, "InternalServerError", 424, "generation"},
};

const error_row& row_of(errc code) noexcept {
  auto at =
      std::find_if(std::begin(rows), std::end(rows), [=](const error_row& r) { return r.code == code; });
  return at == std::end(rows) ? rows[std::size(rows) - 1] : *at;
}

std::string with_prefix(std::string_view prefix, std::string text) {
  return text.starts_with(prefix) ? text : std::string(prefix) + text;
}

// What both styles say: a failed template's own words are told from the server's.
std::string plain_text_of(const error& why) {
  auto text = why.text.empty() ? std::string("The server gives no reason") : why.text;
  return why.code == errc::template_failed ? with_prefix(template_prefix, std::move(text)) : text;
}

std::string text_of(const error_row& row, const error& why) {
  auto text = plain_text_of(why);
  return row.native_type == "generation" ? with_prefix(generation_prefix, std::move(text)) : text;
}

std::string openai_body(std::string_view type, const error_row& row, const error& why, int status) {
  json_writer w;
  w.begin_object().key("error").begin_object();
  w.key("message").string(plain_text_of(why));
  w.key("type").string(type).key("param");
  if (why.param.empty())
    w.null();
  else
    w.string(why.param);
  w.key("code").integer(status).end_object();
  w.key("error_type").string(why.reason.empty() ? row.native_type : why.reason).end_object();
  return w.take();
}

std::string body_of(api_style style, const error_row& row, const error& why, int status) {
  if (style == api_style::openai) return openai_body(row.openai_type, row, why, status);
  json_writer w;
  w.begin_object().key("error").string(text_of(row, why)).key("error_type").string(row.native_type);
  return w.end_object().take();
}

http_reply with_status(int status, std::string body) {
  auto out = json_reply(status, std::move(body));
  if (status == 429 || status == 503) out.fields.push_back({"Retry-After", "1"});
  if (status == 401) out.fields.push_back({"WWW-Authenticate", "Bearer"});
  // A popular client repeats a 503 at once and without end; a new connection slows it down.
  out.close = status == 503;
  return out;
}

}  // namespace

int status_of(api_style style, const error& why) noexcept {
  auto& row = row_of(why.code);
  // The request was right and so was the adapter, until its files changed on the disk.
  if (why.code == errc::bad_adapter && why.reason == "source_changed") return row.native_status;
  return style == api_style::native ? row.native_status : row.openai_status;
}

std::string error_body(api_style style, const error& why) {
  return body_of(style, row_of(why.code), why, status_of(style, why));
}

http_reply error_reply(api_style style, const error& why) {
  return error_reply(style, why, status_of(style, why));
}

http_reply error_reply(api_style style, const error& why, int status) {
  return with_status(status, body_of(style, row_of(why.code), why, status));
}

http_reply typed_error_reply(std::string_view type, const error& why) {
  auto status = status_of(api_style::openai, why);
  return with_status(status, openai_body(type, row_of(why.code), why, status));
}

error invalid_field(std::string text, std::string param) {
  return fail(errc::invalid, "Input validation error: " + text, {}, std::move(param));
}

}  // namespace lorica
