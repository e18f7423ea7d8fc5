#include "net/header_rules.hpp"

#include <algorithm>
#include <iterator>
#include <vector>

#include "net/router.hpp"

namespace lorica {
namespace {

constexpr std::string_view once[] = {"authorization",     "content-type",     "content-length",
                                     "transfer-encoding", "content-encoding", "expect"};

constexpr std::string_view methods[] = {"GET",     "HEAD",  "POST",  "PUT",     "DELETE",
                                        "OPTIONS", "PATCH", "TRACE", "CONNECT", "QUERY"};

protocol_error bad(std::string text) {
  return {400, fail(errc::malformed, std::move(text))};
}

// Decoded once and for all: an escaped slash must not hide a part that climbs.
bool climbs(std::string_view path) {
  auto whole = percent_decoded(path);
  if (!whole) return true;
  auto left = std::string_view(*whole);
  while (true) {
    auto end = std::min(left.find('/'), left.size());
    if (left.substr(0, end) == "..") return true;
    if (end == left.size()) return false;
    left.remove_prefix(end + 1);
  }
}

/// An authority as two of them are compared: lower case, without the port that is meant anyway.
std::string normal(std::string_view authority, std::string_view scheme) {
  for (auto implied : {std::string_view(":"), std::string_view(scheme == "https://" ? ":443" : ":80")})
    if (authority.ends_with(implied)) authority.remove_suffix(implied.size());
  return lower_case(authority);
}

/// Takes scheme and authority off an absolute target. We do not know our names, so they must be those of
/// Host.
std::optional<protocol_error> make_relative(http_request& head) {
  for (auto scheme : {std::string_view("http://"), std::string_view("https://")}) {
    auto target = std::string_view(head.target);
    if (lower_case(target.substr(0, scheme.size())) != scheme) continue;
    target.remove_prefix(scheme.size());
    auto authority = target.substr(0, target.find_first_of("/?#"));
    if (!is_authority(authority)) return bad("The request target's host is not HOST or HOST:PORT");
    auto host = head.find("host");
    if (host && normal(*host, scheme) != normal(authority, scheme))
      return bad("The request target names another host than the Host field");
    target.remove_prefix(authority.size());
    std::string path;
    if (!target.starts_with('/')) path += '/';
    head.target = path.append(target);
    return std::nullopt;
  }
  return std::nullopt;
}

std::optional<protocol_error> method_refusal(const http_request& head) {
  if (std::find(std::begin(methods), std::end(methods), head.method) == std::end(methods))
    return protocol_error{501, fail(errc::wrong_method, "There is no such method; methods are upper case")};
  if (head.method == "TRACE" || head.method == "CONNECT")
    return protocol_error{405, fail(errc::wrong_method, head.method + " is not served")};
  return std::nullopt;
}

std::optional<protocol_error> target_refusal(const http_request& head) {
  if (head.target == "*" && head.method == "OPTIONS") return std::nullopt;
  if (!head.target.starts_with('/')) return bad("The request target must be a path");
  if (head.target.find('#') != std::string::npos) return bad("The request target must not hold a fragment");
  if (climbs(head.path())) return bad("The path holds a broken %-escape or climbs with ..");
  return std::nullopt;
}

/// The members of a list after commas in lower case, without blanks; at least one, which may be empty.
std::vector<std::string> words_of(std::string_view list) {
  constexpr std::string_view blanks = " \t";
  std::vector<std::string> out;
  for (std::size_t from = 0; from <= list.size();) {
    auto end = std::min(list.find(',', from), list.size());
    auto word = list.substr(from, end - from);
    auto first = std::min(word.find_first_not_of(blanks), word.size());
    out.push_back(lower_case(word.substr(first, word.find_last_not_of(blanks) + 1 - first)));
    from = end + 1;
  }
  return out;
}

// RFC 9112, 6.1: `chunked` once and last; what stands before it is a coding that nobody here knows.
std::optional<protocol_error> coding_refusal(std::string_view list) {
  auto codings = words_of(list);
  for (std::size_t i = 0; i < codings.size(); ++i)
    if ((codings[i] == "chunked") != (i + 1 == codings.size()) || codings[i].empty())
      return bad("Transfer-Encoding must be chunked, once and last");
  if (codings.size() == 1) return std::nullopt;
  return protocol_error{501, fail(errc::malformed, "Transfer-Encoding knows nothing but chunked")};
}

std::optional<protocol_error> framing_refusal(const http_request& head) {
  auto length = head.find("content-length");
  // Beast takes a list of equal lengths for one.
  if (length && length->find_first_not_of("0123456789") != std::string::npos)
    return bad("Content-Length must be one whole number");
  auto coding = head.find("transfer-encoding");
  if (!coding) return std::nullopt;
  if (head.version < 11) return bad("Transfer-Encoding needs HTTP/1.1");
  if (length) return bad("Content-Length and Transfer-Encoding exclude each other");
  return coding_refusal(*coding);
}

std::optional<protocol_error> host_refusal(const http_request& head) {
  auto hosts = head.count("host");
  if (hosts > 1 || (hosts == 0 && head.version >= 11)) return bad("There must be one Host field");
  if (hosts == 1 && !is_authority(*head.find("host"))) return bad("Host must be HOST or HOST:PORT");
  return std::nullopt;
}

}  // namespace

bool keeps_connection(const http_request& head) {
  if (head.version < 11) return false;
  auto says_close = [](const http_field& field) {
    if (field.name != "connection") return false;
    auto words = words_of(field.value);
    return std::find(words.begin(), words.end(), "close") != words.end();
  };
  return std::none_of(head.fields.begin(), head.fields.end(), says_close);
}

bool is_authority(std::string_view text) noexcept {
  auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  auto is_alpha = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  auto in_name = [&](char c) {
    return is_digit(c) || is_alpha(c) || c == '-' || c == '.' || c == '_' || c == '~';
  };
  auto in_v6 = [&](char c) { return is_digit(c) || is_alpha(c) || c == ':' || c == '.'; };
  bool v6 = text.starts_with('[');
  auto end = v6 ? text.find(']') : std::min(text.find(':'), text.size());
  if (end == text.npos) return false;
  auto name = text.substr(v6 ? 1 : 0, v6 ? end - 1 : end);
  auto port = text.substr(end + (v6 ? 1 : 0));
  bool good =
      v6 ? std::all_of(name.begin(), name.end(), in_v6) : std::all_of(name.begin(), name.end(), in_name);
  if (name.empty() || name.size() > 255 || !good) return false;
  if (port.empty()) return true;
  port.remove_prefix(1);
  return text[text.size() - port.size() - 1] == ':' && port.size() <= 5 &&
         std::all_of(port.begin(), port.end(), is_digit);
}

std::optional<protocol_error> header_refusal(http_request& head) {
  if (auto why = host_refusal(head)) return why;
  for (auto name : once)
    if (head.count(name) > 1) return bad(std::string(name).append(" must be given once at most"));
  if (auto why = framing_refusal(head)) return why;
  if (auto why = method_refusal(head)) return why;
  if (auto why = make_relative(head)) return why;
  if (auto why = target_refusal(head)) return why;
  auto expect = head.find("expect");
  if (expect && lower_case(*expect) != "100-continue")
    return protocol_error{417, fail(errc::malformed, "Only 100-continue can be expected")};
  return std::nullopt;
}

}  // namespace lorica
