#include "net/header_lines.hpp"

#include <algorithm>
#include <string>

namespace lorica {
namespace {

constexpr std::size_t longest_method = 24;
constexpr std::size_t around_target = 64;  // method, version and blanks

protocol_error malformed(std::string why) {
  return {400, fail(errc::malformed, std::move(why))};
}

bool is_digit(char c) noexcept {
  return c >= '0' && c <= '9';
}

std::optional<protocol_error> version_refusal(std::string_view text) {
  bool version = text.size() == 8 && text.starts_with("HTTP/") && is_digit(text[5]) && text[6] == '.' &&
                 is_digit(text[7]);
  if (!version) return malformed("The request line must be a method, a target and HTTP/1.1");
  if (text[5] != '1')
    return protocol_error{505, fail(errc::malformed, "Only HTTP/1.1 and HTTP/1.0 are spoken here")};
  return std::nullopt;
}

}  // namespace

bool is_token_char(char c) noexcept {
  if (is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) return true;
  return c != '\0' && std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

bool is_field_char(char c) noexcept {
  auto byte = static_cast<unsigned char>(c);
  return byte == '\t' || (byte >= 0x20 && byte != 0x7f);
}

std::optional<protocol_error> request_line_refusal(std::string_view line, line_part part,
                                                   const header_limits& limits) {
  auto blank = std::min(line.find(' '), line.size());
  auto method = line.substr(0, std::min(blank, longest_method + 1));
  if (!std::all_of(method.begin(), method.end(), is_token_char) || (blank == 0 && !line.empty()))
    return malformed("The request does not begin with a method");
  if (method.size() > longest_method)
    return protocol_error{501, fail(errc::wrong_method, "There is no method of that length")};
  if (line.size() > limits.target + around_target)
    return protocol_error{414, fail(errc::header_too_large, "The request target is longer than " +
                                                                std::to_string(limits.target) + " bytes")};
  if (part == line_part::beginning) return std::nullopt;
  auto end = line.find(' ', blank + 1);
  auto target = line.substr(std::min(blank + 1, line.size()), end == line.npos ? end : end - blank - 1);
  if (end == line.npos || target.empty())
    return malformed("The request line must be a method, a target and HTTP/1.1");
  if (auto why = version_refusal(line.substr(end + 1))) return why;
  if (std::any_of(target.begin(), target.end(), [](char c) { return c <= ' ' || c > '~'; }))
    return malformed("The request target holds a character that must be percent-encoded");
  if (target.size() > limits.target)
    return protocol_error{414, fail(errc::header_too_large, "The request target is longer than " +
                                                                std::to_string(limits.target) + " bytes")};
  return std::nullopt;
}

std::optional<protocol_error> field_line_refusal(std::string_view line, line_part part,
                                                 const header_limits& limits) {
  if (line.size() > limits.line) return header_too_large();
  if (part == line_part::beginning) return std::nullopt;
  if (line.starts_with(' ') || line.starts_with('\t')) return malformed("A header field is folded");
  auto name = line.substr(0, line.find(':'));
  if (name.empty() || name.size() == line.size() || !std::all_of(name.begin(), name.end(), is_token_char))
    return malformed("A header field must be a name, a colon right behind it, and a value");
  if (!std::all_of(line.begin(), line.end(), is_field_char))
    return malformed("A header field holds a control character");
  return std::nullopt;
}

protocol_error header_too_large() {
  return {431,
          fail(errc::header_too_large, "The header is above its limits: 32 KiB, 100 fields, 8 KiB each")};
}

protocol_error body_too_large(std::uint64_t most) {
  return {413, fail(errc::payload_too_large, "The body is larger than " + std::to_string(most) + " bytes")};
}

}  // namespace lorica
