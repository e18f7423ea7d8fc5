#include "net/header_rules.hpp"

#include <algorithm>

#include "net/router.hpp"

namespace lorica {
namespace {

constexpr std::string_view once[] = {"authorization",     "content-type",     "content-length",
                                     "transfer-encoding", "content-encoding", "expect"};

protocol_error bad(std::string text) {
  return {400, fail(errc::malformed, std::move(text))};
}

bool climbs(std::string_view path) {
  for (std::size_t from = 0; from <= path.size();) {
    auto end = std::min(path.find('/', from), path.size());
    auto part = percent_decoded(path.substr(from, end - from));
    if (!part || *part == "..") return true;
    from = end + 1;
  }
  return false;
}

std::optional<protocol_error> target_refusal(const http_request& head) {
  if (head.target == "*" && head.method == "OPTIONS") return std::nullopt;
  if (!head.target.starts_with('/')) return bad("The request target must be a path");
  if (head.target.find('#') != std::string::npos) return bad("The request target must not hold a fragment");
  if (climbs(head.path())) return bad("The path holds a broken %-escape or climbs with ..");
  return std::nullopt;
}

std::optional<protocol_error> framing_refusal(const http_request& head) {
  auto coding = head.find("transfer-encoding");
  if (!coding) return std::nullopt;
  if (head.version < 11) return bad("Transfer-Encoding needs HTTP/1.1");
  if (lower_case(*coding) != "chunked") return bad("Transfer-Encoding must be chunked");
  return std::nullopt;
}

}  // namespace

std::optional<std::string> origin_form(std::string_view target, std::string_view host) {
  constexpr std::string_view scheme = "http://";
  if (lower_case(target.substr(0, scheme.size())) != scheme) return std::string(target);
  target.remove_prefix(scheme.size());
  auto end = std::min(target.find_first_of("/?"), target.size());
  if (lower_case(target.substr(0, end)) != lower_case(host)) return std::nullopt;
  target.remove_prefix(end);
  std::string out(target.starts_with('/') ? "" : "/");
  return out.append(target);
}

std::optional<protocol_error> header_refusal(const http_request& head) {
  auto hosts = head.count("host");
  if (hosts > 1 || (hosts == 0 && head.version >= 11)) return bad("There must be one Host field");
  for (auto name : once)
    if (head.count(name) > 1) return bad("There must be one " + std::string(name) + " field at most");
  if (auto why = framing_refusal(head)) return why;
  if (auto why = target_refusal(head)) return why;
  auto expect = head.find("expect");
  if (expect && lower_case(*expect) != "100-continue")
    return protocol_error{417, fail(errc::malformed, "Only 100-continue can be expected")};
  return std::nullopt;
}

}  // namespace lorica
