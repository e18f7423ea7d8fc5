#include "net/http_client.hpp"

#include <curl/curl.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <optional>

#include "core/shown.hpp"
#include "net/client_address.hpp"

namespace lorica {
namespace {

using clock = std::chrono::steady_clock;
using easy_handle = std::unique_ptr<CURL, decltype(&curl_easy_cleanup)>;
using multi_handle = std::unique_ptr<CURLM, decltype(&curl_multi_cleanup)>;
using field_list = std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)>;

constexpr std::size_t most_field_bytes = 64 * 1024;
constexpr std::string_view blanks = " \t\r\n";

std::string trimmed(std::string_view text) {
  auto first = text.find_first_not_of(blanks);
  if (first == std::string_view::npos) return {};
  return std::string(text.substr(first, text.find_last_not_of(blanks) - first + 1));
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (auto& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

bool add_field(field_list& list, const std::string& line) {
  auto longer = curl_slist_append(list.get(), line.c_str());
  if (!longer) return false;
  static_cast<void>(list.release());
  list.reset(longer);
  return true;
}

template <class Value>
bool set(CURL* easy, CURLoption option, Value value) {
  return curl_easy_setopt(easy, option, value) == CURLE_OK;
}

/// Why our own callbacks ended a transfer.
enum class cut : std::uint8_t { none, enough, fields_too_large, body_too_large, line_too_long };

/// One exchange under way.
struct exchange_under_way {
  const http_client_options& options;
  const http_client::on_line* take = nullptr;         ///< null: a plain reply
  const std::function<void()>* when_begun = nullptr;  ///< null or empty: nobody asks
  client_reply reply = {};
  std::size_t field_bytes = 0;
  bool has_head = false;  ///< whole
  std::string line = {};  ///< of a stream, begun
  cut why = cut::none;
  clock::time_point begun = clock::now();
  clock::time_point latest = begun;  ///< sign of life

  bool streams() const noexcept { return take && reply.status == 200; }
  bool head(std::string_view text);
  bool body(std::string_view bytes);
  bool lines(std::string_view bytes);

  bool end(cut reason) noexcept {
    why = reason;
    return false;
  }
};

bool exchange_under_way::head(std::string_view text) {
  latest = clock::now();
  field_bytes += text.size();
  if (field_bytes > most_field_bytes) return end(cut::fields_too_large);
  if (text.starts_with("HTTP/")) {  // also the one after a 1xx
    reply.fields.clear();
    has_head = false;
    auto blank = text.find(' ');
    reply.status = 0;
    for (auto c : text.substr(blank == std::string_view::npos ? text.size() : blank + 1, 3))
      reply.status = c >= '0' && c <= '9' ? reply.status * 10 + (c - '0') : 0;
    return true;
  }
  bool is_end = text == "\r\n" || text == "\n";
  if (is_end && !std::exchange(has_head, true) && streams() && when_begun && *when_begun) (*when_begun)();
  auto colon = text.find(':');
  if (colon != std::string_view::npos)
    reply.fields.emplace_back(lower(text.substr(0, colon)), trimmed(text.substr(colon + 1)));
  return true;
}

bool exchange_under_way::body(std::string_view bytes) {
  latest = clock::now();
  if (streams()) return lines(bytes);
  if (bytes.size() > options.most_bytes - reply.body.size()) return end(cut::body_too_large);
  reply.body += bytes;
  return true;
}

bool exchange_under_way::lines(std::string_view bytes) {
  while (!bytes.empty()) {
    auto feed = bytes.find('\n');
    auto piece = bytes.substr(0, feed);
    if (piece.size() > options.longest_line - line.size()) return end(cut::line_too_long);
    line += piece;
    if (feed == std::string_view::npos) return true;
    bytes.remove_prefix(feed + 1);
    if (line.ends_with('\r')) line.pop_back();
    auto whole = std::exchange(line, {});
    if ((*take)(whole) == stream_wish::enough) return end(cut::enough);
  }
  return true;
}

std::size_t take_head(char* bytes, std::size_t size, std::size_t count, void* data) {
  auto total = size * count;
  return static_cast<exchange_under_way*>(data)->head({bytes, total}) ? total : CURL_WRITEFUNC_ERROR;
}

std::size_t take_body(char* bytes, std::size_t size, std::size_t count, void* data) {
  auto total = size * count;
  return static_cast<exchange_under_way*>(data)->body({bytes, total}) ? total : CURL_WRITEFUNC_ERROR;
}

bool is_loopback(std::string_view host) {
  return host == "localhost" || host == "[::1]" || host.starts_with("127.");
}

}  // namespace

std::string_view client_reply::field(std::string_view name) const noexcept {
  auto at = std::find_if(fields.begin(), fields.end(), [&](auto& f) { return f.first == name; });
  return at == fields.end() ? std::string_view() : std::string_view(at->second);
}

struct http_client::implementation {
  http_client_options options;
  std::string base;   ///< without a slash at its end
  std::string place;  ///< for texts
  bool direct = false;
  easy_handle easy{nullptr, &curl_easy_cleanup};
  multi_handle multi{nullptr, &curl_multi_cleanup};

  result<client_reply> run(const client_request& request, const on_line* take, const std::stop_token& stop,
                           const std::function<void()>* begun = nullptr);
  bool prepare(const client_request& request, exchange_under_way& now, field_list& fields);
  std::optional<error> drive(exchange_under_way& now, const std::stop_token& stop);
  std::optional<error> outcome(CURLcode code, const exchange_under_way& now) const;
  error too_slow() const;
};

result<http_client> http_client::open(http_client_options options) {
  static const auto ready = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (ready != CURLE_OK) return fail(errc::internal, "The HTTP client cannot be set up");
  auto address = read_address(options.url);
  if (!address) return address.error();
  if (auto bad = check_key(options.key)) return *std::move(bad);
  if (!options.ca_file.empty() && !std::ifstream(options.ca_file))
    return fail(errc::bad_config,
                "The file '" + shown(std::filesystem::path(options.ca_file).filename().string()) +
                    "' of trusted certificates cannot be read",
                {}, "cacert");

  auto made = std::make_unique<implementation>();
  made->base = address->url;
  made->place = address->place();
  made->direct = is_loopback(address->host);
  made->options = std::move(options);
  made->easy.reset(curl_easy_init());
  made->multi.reset(curl_multi_init());
  if (!made->easy || !made->multi) return fail(errc::internal, "The HTTP client cannot be set up");
  return http_client(std::move(made));
}

http_client::http_client(std::unique_ptr<implementation> made) : here_(std::move(made)) {}
http_client::http_client(http_client&&) noexcept = default;
http_client& http_client::operator=(http_client&&) noexcept = default;
http_client::~http_client() = default;

const std::string& http_client::place() const noexcept {
  return here_->place;
}

result<client_reply> http_client::send(const client_request& request, const std::stop_token& stop) {
  return here_->run(request, nullptr, stop);
}

result<client_reply> http_client::stream(const client_request& request, const on_line& take,
                                         const std::stop_token& stop, const std::function<void()>& begun) {
  return here_->run(request, &take, stop, &begun);
}

bool http_client::implementation::prepare(const client_request& request, exchange_under_way& now,
                                          field_list& fields) {
  auto* c = easy.get();
  curl_easy_reset(c);  // keeps the connection
  bool good = add_field(fields, "Accept: " + std::string(request.accept)) && add_field(fields, "Expect:");
  if (!options.key.empty()) good = good && add_field(fields, "Authorization: Bearer " + options.key);
  if (!request.body.empty()) good = good && add_field(fields, "Content-Type: application/json");
  auto method = std::string(request.method);
  good = good && set(c, CURLOPT_URL, (base + request.target).c_str()) &&
         set(c, CURLOPT_CUSTOMREQUEST, method.c_str()) && set(c, CURLOPT_HTTPHEADER, fields.get()) &&
         set(c, CURLOPT_USERAGENT, "lorica") && set(c, CURLOPT_PROTOCOLS_STR, "http,https") &&
         set(c, CURLOPT_FOLLOWLOCATION, 0L) && set(c, CURLOPT_NOSIGNAL, 1L) &&
         set(c, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1)) &&
         set(c, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(options.timeout.count())) &&
         set(c, CURLOPT_QUICK_EXIT, 1L) && set(c, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L) &&
         set(c, CURLOPT_HEADERFUNCTION, &take_head) && set(c, CURLOPT_HEADERDATA, &now) &&
         set(c, CURLOPT_WRITEFUNCTION, &take_body) && set(c, CURLOPT_WRITEDATA, &now);
  if (direct) good = good && set(c, CURLOPT_PROXY, "");
  if (!options.ca_file.empty()) good = good && set(c, CURLOPT_CAINFO, options.ca_file.c_str());
  if (options.trust == server_trust::anybody)
    good = good && set(c, CURLOPT_SSL_VERIFYPEER, 0L) && set(c, CURLOPT_SSL_VERIFYHOST, 0L);
  if (!request.body.empty())
    good = good && set(c, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size())) &&
           set(c, CURLOPT_POSTFIELDS, request.body.c_str());
  return good;
}

error http_client::implementation::too_slow() const {
  return fail(errc::timeout, "The server at " + place + " does not answer in time");
}

std::optional<error> http_client::implementation::outcome(CURLcode code,
                                                          const exchange_under_way& now) const {
  auto broken = [&](const std::string& how) {
    return fail(errc::malformed, "The answer of " + place + " " + how);
  };
  switch (now.why) {
    case cut::none: break;
    case cut::enough: return std::nullopt;
    case cut::fields_too_large: return broken("has a head beyond 64 KiB");
    case cut::body_too_large:
      return broken("is larger than " + std::to_string(options.most_bytes) + " bytes");
    case cut::line_too_long:
      return broken("has a line beyond " + std::to_string(options.longest_line) + " bytes");
  }
  switch (code) {
    // A connection that ends inside the head counts as an end for libcurl.
    case CURLE_OK: return now.has_head ? std::nullopt : std::optional(broken("broke off"));
    case CURLE_COULDNT_RESOLVE_HOST: return fail(errc::io, "The name of " + place + " is not known");
    case CURLE_COULDNT_RESOLVE_PROXY:
      return fail(errc::io, "The name of the proxy of this environment is not known");
    case CURLE_COULDNT_CONNECT: return fail(errc::io, "Nobody answers at " + place);
    case CURLE_OPERATION_TIMEDOUT: return too_slow();
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE: return fail(errc::io, "The certificate of " + place + " is not trusted");
    case CURLE_SSL_CONNECT_ERROR: return fail(errc::io, "No TLS connection to " + place + " comes about");
    case CURLE_GOT_NOTHING: return broken("is missing: it closed the connection");
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_WEIRD_SERVER_REPLY: return broken("is not HTTP");
    default: return broken("broke off");
  }
}

/// Runs the transfer to its end; what ended it otherwise is returned.
std::optional<error> http_client::implementation::drive(exchange_under_way& now,
                                                        const std::stop_token& stop) {
  std::stop_callback wake(stop, [this] { curl_multi_wakeup(multi.get()); });
  for (;;) {
    int running = 0;
    if (curl_multi_perform(multi.get(), &running) != CURLM_OK)
      return fail(errc::internal, "The HTTP client failed");
    if (running == 0) break;
    if (stop.stop_requested()) return fail(errc::cancelled, "Interrupted");
    auto end = now.streams() ? now.latest + options.silence : now.begun + options.timeout;
    auto left = std::chrono::ceil<std::chrono::milliseconds>(end - clock::now()).count();
    if (left <= 0) return too_slow();
    auto wait = static_cast<int>(std::min<long long>(left, 1000));
    if (curl_multi_poll(multi.get(), nullptr, 0, wait, nullptr) != CURLM_OK)
      return fail(errc::internal, "The HTTP client failed");
  }
  int left = 0;
  auto* said = curl_multi_info_read(multi.get(), &left);
  if (!said || said->msg != CURLMSG_DONE) return fail(errc::internal, "The HTTP client failed");
  return outcome(said->data.result, now);
}

result<client_reply> http_client::implementation::run(const client_request& request, const on_line* take,
                                                      const std::stop_token& stop,
                                                      const std::function<void()>* begun) {
  exchange_under_way now{options, take, begun};
  field_list fields(nullptr, &curl_slist_free_all);
  if (!prepare(request, now, fields) || curl_multi_add_handle(multi.get(), easy.get()) != CURLM_OK)
    return fail(errc::internal, "The HTTP client cannot make the request");
  auto failure = drive(now, stop);
  curl_multi_remove_handle(multi.get(), easy.get());
  if (failure) return *std::move(failure);
  return std::move(now.reply);
}

std::string url_part(std::string_view text) {
  static constexpr char digits[] = "0123456789ABCDEF";
  std::string out;
  for (unsigned char c : text) {
    bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                 c == '.' || c == '_' || c == '~';
    if (plain) {
      out += static_cast<char>(c);
    } else {
      out += '%';
      out += digits[c >> 4];
      out += digits[c & 15];
    }
  }
  return out;
}

}  // namespace lorica
