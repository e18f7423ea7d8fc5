#include "adapters/hub_url.hpp"

#include <algorithm>
#include <charconv>

namespace lorica {
namespace {

constexpr std::size_t longest_url = 8192;
constexpr std::size_t longest_host = 253;
constexpr std::uint16_t http_port = 80;
constexpr std::uint16_t https_port = 443;

constexpr bool is_digit(char c) noexcept {
  return c >= '0' && c <= '9';
}

constexpr bool is_letter(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

constexpr char lower(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

std::string lowered(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), lower);
  return out;
}

// A backslash is a slash to some readers and not to others.
bool plain(std::string_view text) noexcept {
  return text.size() <= longest_url &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c <= '~' && c != '\\'; });
}

bool good_name(std::string_view host) noexcept {
  return !host.empty() && host.size() <= longest_host && host.front() != '.' && host.front() != '-' &&
         std::all_of(host.begin(), host.end(),
                     [](char c) { return is_letter(c) || is_digit(c) || c == '-' || c == '.' || c == '_'; });
}

bool good_six(std::string_view host) noexcept {
  return host.size() >= 2 && host.size() <= 45 && std::all_of(host.begin(), host.end(), [](char c) {
           return is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'f') || c == ':' || c == '.';
         });
}

std::optional<std::uint16_t> parse_port(std::string_view text) noexcept {
  std::uint16_t port = 0;
  auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (problem != std::errc{} || end != text.data() + text.size() || port == 0) return std::nullopt;
  return port;
}

bool read_authority(std::string_view text, hub_url& out) {
  out.port = out.secure ? https_port : http_port;
  std::string_view host = text;
  std::string_view rest;
  if (text.starts_with('[')) {
    auto close = text.find(']');
    if (close == std::string_view::npos) return false;
    host = text.substr(1, close - 1);
    rest = text.substr(close + 1);
    if (!good_six(host)) return false;
  } else {
    auto colon = text.find(':');
    host = text.substr(0, colon);
    rest = colon == std::string_view::npos ? std::string_view() : text.substr(colon);
    if (!good_name(host)) return false;
  }
  out.host = lowered(host);
  if (rest.empty()) return true;
  auto port = rest.front() == ':' ? parse_port(rest.substr(1)) : std::nullopt;
  if (port) out.port = *port;
  return port.has_value();
}

std::string_view without_fragment(std::string_view text) noexcept {
  return text.substr(0, text.find('#'));
}

// Letters before a colon that comes before any slash: the reference names a scheme.
bool has_scheme(std::string_view text) noexcept {
  auto end = text.find_first_of(":/?#");
  return end != std::string_view::npos && text[end] == ':';
}

}  // namespace

std::string hub_url::text() const {
  std::string out = secure ? "https://" : "http://";
  bool six = host.find(':') != std::string::npos;
  if (six) out += '[';
  out += host;
  if (six) out += ']';
  if (port != (secure ? https_port : http_port)) out.append(1, ':').append(std::to_string(port));
  return out.append(target);
}

bool same_origin(const hub_url& a, const hub_url& b) noexcept {
  return a.secure == b.secure && a.host == b.host && a.port == b.port;
}

std::optional<hub_url> parse_hub_url(std::string_view text) {
  if (!plain(text)) return std::nullopt;
  auto scheme_end = text.find("://");
  if (scheme_end == std::string_view::npos) return std::nullopt;
  auto scheme = lowered(text.substr(0, scheme_end));
  if (scheme != "http" && scheme != "https") return std::nullopt;
  hub_url out;
  out.secure = scheme == "https";
  auto rest = without_fragment(text.substr(scheme_end + 3));
  auto target = std::min(rest.find_first_of("/?"), rest.size());
  if (!read_authority(rest.substr(0, target), out)) return std::nullopt;
  out.target = rest.substr(target);
  if (!out.target.starts_with('/')) out.target.insert(out.target.begin(), '/');
  return out;
}

std::optional<hub_url> resolve_reference(const hub_url& base, std::string_view reference) {
  if (!plain(reference) || reference.empty()) return std::nullopt;
  if (has_scheme(reference)) return parse_hub_url(reference);
  if (reference.starts_with("//")) {
    std::string whole(base.secure ? "https:" : "http:");
    whole.append(reference);
    return parse_hub_url(whole);
  }
  auto out = base;
  auto path = base.target.substr(0, base.target.find('?'));
  auto wanted = std::string(without_fragment(reference));
  if (wanted.starts_with('/'))
    out.target = wanted;
  else if (wanted.starts_with('?'))
    out.target = path + wanted;
  else if (!wanted.empty())
    out.target = path.substr(0, path.rfind('/') + 1) + wanted;
  return out;
}

bool is_relative_reference(std::string_view reference) noexcept {
  return !has_scheme(reference) && !reference.starts_with("//");
}

std::string percent_encoded(std::string_view part) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  constexpr std::string_view kept = "-._~";
  std::string out;
  for (char c : part) {
    if (is_letter(c) || is_digit(c) || kept.find(c) != std::string_view::npos) {
      out += c;
      continue;
    }
    auto byte = static_cast<unsigned char>(c);
    out += '%';
    out += digits[byte >> 4];
    out += digits[byte & 15];
  }
  return out;
}

bool is_below_domain(std::string_view host, std::string_view domain) noexcept {
  if (host == domain) return true;
  return host.size() > domain.size() && host.ends_with(domain) &&
         host[host.size() - domain.size() - 1] == '.';
}

}  // namespace lorica
