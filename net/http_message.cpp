#include "net/http_message.hpp"

#include <algorithm>
#include <charconv>

namespace lorica {
namespace {

std::string_view reason_phrase(int status) noexcept {
  switch (status) {
    case 200: return "OK";
    case 202: return "Accepted";
    case 204: return "No Content";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 413: return "Content Too Large";
    case 414: return "URI Too Long";
    case 415: return "Unsupported Media Type";
    case 417: return "Expectation Failed";
    case 422: return "Unprocessable Content";
    case 424: return "Failed Dependency";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    case 505: return "HTTP Version Not Supported";
    default: return "";
  }
}

// A line end in a value would begin a field of its own.
void append_field(std::string& out, std::string_view name, std::string_view value) {
  out.append(name).append(": ");
  std::copy_if(value.begin(), value.end(), std::back_inserter(out),
               [](char c) { return static_cast<unsigned char>(c) >= 0x20 && c != 0x7f; });
  out += "\r\n";
}

}  // namespace

const std::string* http_request::find(std::string_view name) const noexcept {
  auto at = std::find_if(fields.begin(), fields.end(), [&](const http_field& f) { return f.name == name; });
  return at == fields.end() ? nullptr : &at->value;
}

std::size_t http_request::count(std::string_view name) const noexcept {
  return static_cast<std::size_t>(
      std::count_if(fields.begin(), fields.end(), [&](const http_field& f) { return f.name == name; }));
}

std::string_view http_request::path() const noexcept {
  auto whole = std::string_view(target);
  return whole.substr(0, whole.find('?'));
}

std::string_view http_request::query() const noexcept {
  auto whole = std::string_view(target);
  return whole.substr(std::min(path().size() + 1, whole.size()));
}

std::string reply_head(const http_reply& reply, body_framing framing, connection_fate fate) {
  std::string out;
  out.reserve(512);
  out.append("HTTP/1.1 ").append(std::to_string(reply.status)).append(" ");
  out.append(reason_phrase(reply.status)).append("\r\n");
  if (!reply.content_type.empty()) append_field(out, "Content-Type", reply.content_type);
  if (framing == body_framing::chunked)
    append_field(out, "Transfer-Encoding", "chunked");
  else if (reply.status != 204)
    append_field(out, "Content-Length", std::to_string(reply.body.size()));
  for (auto& f : reply.fields)
    append_field(out, f.name, f.value);
  if (fate == connection_fate::close) append_field(out, "Connection", "close");
  return out.append("\r\n");
}

std::string as_chunk(std::string_view data) {
  char size[16];
  auto end = std::to_chars(size, size + sizeof size, data.size(), 16).ptr;
  std::string out;
  out.reserve(data.size() + 20);
  out.append(size, end).append("\r\n").append(data).append("\r\n");
  return out;
}

http_reply with_fields(http_reply reply, const std::vector<http_field>& more) {
  reply.fields.insert(reply.fields.end(), more.begin(), more.end());
  return reply;
}

http_reply json_reply(int status, std::string body) {
  http_reply out;
  out.status = status;
  out.content_type = "application/json";
  out.body = std::move(body);
  return out;
}

bool is_json(std::string_view content_type) {
  auto type = content_type.substr(0, content_type.find(';'));
  while (!type.empty() && (type.back() == ' ' || type.back() == '\t'))
    type.remove_suffix(1);
  return lower_case(type) == "application/json";
}

std::string lower_case(std::string_view text) {
  std::string out(text);
  for (auto& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

}  // namespace lorica
