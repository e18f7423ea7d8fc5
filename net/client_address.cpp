#include "net/client_address.hpp"

#include <curl/curl.h>

#include <algorithm>
#include <memory>

namespace lorica {
namespace {

using url_handle = std::unique_ptr<CURLU, decltype(&curl_url_cleanup)>;

std::optional<std::string> part_of(const url_handle& url, CURLUPart part, unsigned flags = 0) {
  char* text = nullptr;
  if (curl_url_get(url.get(), part, &text, flags) != CURLUE_OK) return std::nullopt;
  std::string out(text);
  curl_free(text);
  return out;
}

error bad_address(std::string text) {
  return fail(errc::bad_config, std::move(text) + "; it is http://HOST:PORT or https://HOST[:PORT]", {},
              "url");
}

std::string without_slashes(std::string text) {
  while (text.ends_with('/'))
    text.pop_back();
  return text;
}

}  // namespace

result<client_address> read_address(const std::string& text) {
  url_handle url(curl_url(), &curl_url_cleanup);
  if (!url || curl_url_set(url.get(), CURLUPART_URL, text.c_str(), 0) != CURLUE_OK)
    return bad_address("The server's address cannot be read");
  // What is in it may be secret, so such an address is not shown either.
  if (part_of(url, CURLUPART_USER) || part_of(url, CURLUPART_PASSWORD))
    return bad_address("The server's address holds a user or password");
  client_address out;
  out.scheme = part_of(url, CURLUPART_SCHEME).value_or("");
  out.host = part_of(url, CURLUPART_HOST).value_or("");
  if (out.scheme != "http" && out.scheme != "https")
    return bad_address("The server's address begins with '" + out.scheme + "://'");
  if (out.host.empty()) return bad_address("The server's address has no host");
  if (part_of(url, CURLUPART_QUERY) || part_of(url, CURLUPART_FRAGMENT))
    return bad_address("The server's address has a '?' or '#'");
  out.port = part_of(url, CURLUPART_PORT);
  out.path = without_slashes(part_of(url, CURLUPART_PATH).value_or(""));
  out.url = without_slashes(part_of(url, CURLUPART_URL).value_or(text));
  return out;
}

std::optional<error> check_key(const std::string& key) {
  auto bad = [](unsigned char c) { return c <= ' ' || c == 127; };
  if (!std::any_of(key.begin(), key.end(), bad)) return std::nullopt;
  return fail(errc::bad_config, "The API key holds blanks or control characters", {}, "api-key");
}

}  // namespace lorica
