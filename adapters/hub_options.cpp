#include "adapters/hub_options.hpp"

#include <algorithm>

#include "adapters/hub_reply.hpp"
#include "core/shown.hpp"
#include "files/read_file.hpp"

namespace lorica {
namespace {

constexpr std::size_t longest_token = 4096;
constexpr std::uint64_t longest_timeout_s = 3600;

bool is_on(std::string_view text) {
  std::string upper(text);
  for (char& c : upper)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  return upper == "1" || upper == "ON" || upper == "YES" || upper == "TRUE";
}

std::string_view trimmed(std::string_view text) noexcept {
  auto begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1);
}

error bad(std::string_view name, std::string_view why) {
  return fail(errc::bad_config, std::string(name) + " " + std::string(why));
}

result<hub_url> read_endpoint(std::string_view text) {
  if (text.empty()) text = "https://huggingface.co";
  auto url = parse_hub_url(text);
  if (!url || url->target.find('?') != std::string::npos)
    return bad("HF_ENDPOINT", "is no address such as https://huggingface.co");
  while (url->target.size() > 1 && url->target.ends_with('/'))
    url->target.pop_back();
  return *url;
}

std::string token_path_of(const hub_values& values) {
  if (values.token_path.starts_with("~/")) return values.home + values.token_path.substr(1);
  if (!values.token_path.empty()) return values.token_path;
  auto hub = find_hub_cache({"", values.hf_home, values.xdg_cache_home, values.home}).root;
  constexpr std::string_view folder = "/hub";
  if (!hub.ends_with(folder)) return {};
  return hub.substr(0, hub.size() - folder.size()) + "/token";
}

result<std::string> checked_token(std::string_view text, std::string_view name) {
  auto token = trimmed(text);
  bool good = token.size() <= longest_token &&
              std::all_of(token.begin(), token.end(), [](char c) { return c > ' ' && c <= '~'; });
  if (!good) return bad(name, "is no token: at most 4096 visible characters are");
  return std::string(token);
}

result<std::string> read_token(const hub_values& values) {
  if (is_on(values.disable_implicit_token)) return std::string();
  if (!trimmed(values.token).empty()) return checked_token(values.token, "HF_TOKEN");
  // Most machines have no such file, so that is no mistake; one that was named and is not there is.
  auto path = token_path_of(values);
  auto text = path.empty() ? result<std::string>(std::string()) : read_file(path, longest_token + 2);
  if (!text && !values.token_path.empty()) return bad("HF_TOKEN_PATH", "names no file that can be read");
  if (!text) return std::string();
  return checked_token(*text, "the token file");
}

result<std::chrono::milliseconds> read_seconds(std::string_view text, std::string_view name,
                                               std::chrono::milliseconds otherwise) {
  if (text.empty()) return otherwise;
  auto number = parse_decimal(text);
  if (!number || *number == 0 || *number > longest_timeout_s)
    return bad(name, "is '" + shown(text) + "'; it takes seconds from 1 to 3600");
  return std::chrono::milliseconds(std::chrono::seconds(*number));
}

}  // namespace

result<hub_options> make_hub_options(const hub_values& values, hub_cache cache) {
  hub_options out;
  auto endpoint = read_endpoint(values.endpoint);
  if (!endpoint) return endpoint.error();
  out.endpoint = *std::move(endpoint);
  auto token = read_token(values);
  if (!token) return token.error();
  out.token = *std::move(token);
  auto reply = read_seconds(values.etag_timeout, "HF_HUB_ETAG_TIMEOUT", out.reply);
  if (!reply) return reply.error();
  auto stall = read_seconds(values.download_timeout, "HF_HUB_DOWNLOAD_TIMEOUT", out.stall);
  if (!stall) return stall.error();
  out.reply = *reply;
  out.stall = *stall;
  out.cache = std::move(cache);
  out.offline = is_on(values.offline);
  out.links = !is_on(values.disable_symlinks);
  return out;
}

}  // namespace lorica
