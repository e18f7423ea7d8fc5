#include "adapters/hub_client.hpp"

#include <curl/curl.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <list>
#include <utility>

#include "adapters/hub_address.hpp"
#include "core/sha256.hpp"

namespace lorica {
namespace {

using easy_handle = std::unique_ptr<CURL, decltype(&curl_easy_cleanup)>;
using multi_handle = std::unique_ptr<CURLM, decltype(&curl_multi_cleanup)>;
using field_list = std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)>;

constexpr long receive_buffer = 128 * 1024;  // bytes
constexpr long most_idle_connections = 16;

/// Kinds of addresses, as bits.
using address_kinds = unsigned;

constexpr address_kinds bit(address_kind kind) noexcept {
  return 1u << static_cast<unsigned>(kind);
}

address_kind kind_of(const sockaddr* address) noexcept {
  const std::uint8_t* bytes = nullptr;
  std::size_t count = 0;
  sockaddr_in four{};
  sockaddr_in6 six{};
  if (address->sa_family == AF_INET) {
    std::memcpy(&four, address, sizeof four);
    bytes = reinterpret_cast<const std::uint8_t*>(&four.sin_addr);
    count = sizeof four.sin_addr;
  } else if (address->sa_family == AF_INET6) {
    std::memcpy(&six, address, sizeof six);
    bytes = reinterpret_cast<const std::uint8_t*>(&six.sin6_addr);
    count = sizeof six.sin6_addr;
  }
  return kind_of_address(std::span(bytes, count));
}

/// One request under way.
struct transfer {
  hub_job* job = nullptr;
  const clock_source* clock = nullptr;
  address_kinds* endpoint_kinds = nullptr;
  easy_handle easy{nullptr, &curl_easy_cleanup};
  field_list fields{nullptr, &curl_slist_free_all};
  hub_head head;
  bool head_is_done = false;
  bool address_was_refused = false;
  bool address_was_taken = false;
};

// The address that was resolved is the one that is connected to, so what is looked at here is what is used.
curl_socket_t open_socket(void* data, curlsocktype, curl_sockaddr* address) {
  auto& t = *static_cast<transfer*>(data);
  auto kind = kind_of(&address->addr);
  if (t.job->request().at_endpoint) {
    *t.endpoint_kinds |= bit(kind);
  } else if (kind != address_kind::open && (*t.endpoint_kinds & bit(kind)) == 0) {
    t.address_was_refused = true;
    return CURL_SOCKET_BAD;
  }
  t.address_was_taken = true;
  return ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

std::size_t take_field(char* bytes, std::size_t size, std::size_t count, void* data) {
  auto& t = *static_cast<transfer*>(data);
  auto total = size * count;
  std::string_view line(bytes, total);
  if (t.head_is_done) return total;  // fields after a chunked body
  if (!t.head.add_line(line)) return CURL_WRITEFUNC_ERROR;
  bool is_last = line == "\r\n" || line == "\n";
  if (!is_last || t.head.status() < 200) return total;
  t.head_is_done = true;
  return t.job->on_head(t.head, t.clock->now()) ? total : CURL_WRITEFUNC_ERROR;
}

std::size_t take_body(char* bytes, std::size_t size, std::size_t count, void* data) {
  auto& t = *static_cast<transfer*>(data);
  auto total = size * count;
  auto piece = std::as_bytes(std::span<const char>(bytes, total));
  return t.job->on_body(piece, t.clock->now()) ? total : CURL_WRITEFUNC_ERROR;
}

hub_outcome outcome_of(CURLcode code, const transfer& t) noexcept {
  switch (code) {
    case CURLE_OK: return hub_outcome::complete;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CACERT_BADFILE: return hub_outcome::untrusted;
    case CURLE_WRITE_ERROR: return hub_outcome::cut;
    default: break;
  }
  return t.address_was_refused && !t.address_was_taken ? hub_outcome::refused_address : hub_outcome::broken;
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

}  // namespace

struct hub_client::implementation {
  struct fetching {
    fetching(implementation& owner, std::uint64_t number, hub_fetch fetch)
        : number(number),
          job(owner.options, std::move(fetch.wanted), fetch.cache_first, std::move(fetch.progress),
              owner.clock.now()),
          stop(fetch.stop),
          on_stop(fetch.stop, [&owner] { curl_multi_wakeup(owner.multi.get()); }) {}

    std::uint64_t number;
    hub_job job;
    std::stop_token stop;
    std::unique_ptr<transfer> under_way;
    std::stop_callback<std::function<void()>> on_stop;
  };

  implementation(hub_options o, const clock_source& c, CURLM* m)
      : options(std::move(o)), clock(c), multi(m, &curl_multi_cleanup) {}

  ~implementation() {
    for (auto& each : fetches)
      drop(each);
  }

  bool make_transfer(fetching& f);
  bool prepare(transfer& t, const hub_request& request);
  void drop(fetching& f);
  void begin_what_is_ready();
  void move_jobs();
  void take_messages();
  bool has_work() const;
  std::vector<hub_ended> take_ended();
  std::chrono::milliseconds patience(std::chrono::milliseconds limit) const;

  const hub_options options;
  const clock_source& clock;
  multi_handle multi;
  address_kinds endpoint_kinds = 0;
  std::uint64_t last_number = 0;
  std::size_t transfers = 0;
  // In the order in which they were asked for; one that has to try again goes to the end.
  std::list<fetching> fetches;
};

bool hub_client::implementation::prepare(transfer& t, const hub_request& request) {
  auto easy = t.easy.get();
  bool good = add_field(t.fields, "Accept-Encoding: identity") && add_field(t.fields, "Accept: */*") &&
              (!request.with_token || add_field(t.fields, "Authorization: Bearer " + options.token));
  if (request.from > 0)
    good = good && add_field(t.fields, "Range: bytes=" + std::to_string(request.from) + "-");
  auto url = request.url.text();
  // PROXY "" also shuts out the environment's; QUICK_EXIT: ending a transfer does not wait for its resolver.
  good = good && set(easy, CURLOPT_URL, url.c_str()) && set(easy, CURLOPT_PROTOCOLS_STR, "http,https") &&
         set(easy, CURLOPT_PROXY, "") && set(easy, CURLOPT_FOLLOWLOCATION, 0L) &&
         set(easy, CURLOPT_NOBODY, request.head ? 1L : 0L) && set(easy, CURLOPT_HTTPHEADER, t.fields.get()) &&
         set(easy, CURLOPT_USERAGENT, options.user_agent.c_str()) && set(easy, CURLOPT_NOSIGNAL, 1L) &&
         set(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1)) &&
         set(easy, CURLOPT_HTTP_CONTENT_DECODING, 0L) && set(easy, CURLOPT_QUICK_EXIT, 1L) &&
         set(easy, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(options.connect.count())) &&
         set(easy, CURLOPT_BUFFERSIZE, receive_buffer) &&
         set(easy, CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED)) &&
         set(easy, CURLOPT_SSL_VERIFYPEER, 1L) && set(easy, CURLOPT_SSL_VERIFYHOST, 2L);
  good = good && set(easy, CURLOPT_OPENSOCKETFUNCTION, &open_socket) &&
         set(easy, CURLOPT_OPENSOCKETDATA, &t) && set(easy, CURLOPT_HEADERFUNCTION, &take_field) &&
         set(easy, CURLOPT_HEADERDATA, &t) && set(easy, CURLOPT_WRITEFUNCTION, &take_body) &&
         set(easy, CURLOPT_WRITEDATA, &t) && set(easy, CURLOPT_PRIVATE, &t);
  return good;
}

bool hub_client::implementation::make_transfer(fetching& f) {
  auto t = std::make_unique<transfer>();
  t->job = &f.job;
  t->clock = &clock;
  t->endpoint_kinds = &endpoint_kinds;
  t->easy.reset(curl_easy_init());
  f.job.begin(clock.now());
  if (!t->easy || !prepare(*t, f.job.request())) return false;
  if (curl_multi_add_handle(multi.get(), t->easy.get()) != CURLM_OK) return false;
  f.under_way = std::move(t);
  ++transfers;
  return true;
}

void hub_client::implementation::drop(fetching& f) {
  if (!f.under_way) return;
  curl_multi_remove_handle(multi.get(), f.under_way->easy.get());
  f.under_way.reset();
  --transfers;
}

void hub_client::implementation::begin_what_is_ready() {
  for (auto& f : fetches) {
    if (transfers >= options.max_transfers) return;
    if (f.job.now_in() != hub_job::state::ready) continue;
    if (!make_transfer(f)) f.job.on_end(hub_outcome::broken, clock.now());
  }
}

void hub_client::implementation::move_jobs() {
  auto at = fetches.begin();
  for (auto left = fetches.size(); left > 0; --left) {
    auto f = at++;
    if (f->stop.stop_requested()) f->job.cancel();
    if (!f->job.tick(clock.now())) {
      drop(*f);
      f->job.on_end(hub_outcome::cut, clock.now());
    }
    // One slice each, so that many megabytes of one keep no other from the network.
    if (f->job.now_in() == hub_job::state::working) f->job.work(clock.now());
    if (f->job.now_in() == hub_job::state::ended) drop(*f);
    if (f->job.now_in() == hub_job::state::waiting) fetches.splice(fetches.end(), fetches, f);
  }
}

void hub_client::implementation::take_messages() {
  int left = 0;
  while (auto message = curl_multi_info_read(multi.get(), &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    auto code = message->data.result;
    auto f = std::find_if(fetches.begin(), fetches.end(), [&](const fetching& each) {
      return each.under_way && each.under_way->easy.get() == message->easy_handle;
    });
    if (f == fetches.end()) continue;
    auto outcome = outcome_of(code, *f->under_way);
    drop(*f);
    f->job.on_end(outcome, clock.now());
  }
}

bool hub_client::implementation::has_work() const {
  return std::any_of(fetches.begin(), fetches.end(), [&](const fetching& f) {
    auto state = f.job.now_in();
    return state == hub_job::state::working || state == hub_job::state::ended ||
           (state == hub_job::state::ready && transfers < options.max_transfers);
  });
}

std::vector<hub_ended> hub_client::implementation::take_ended() {
  std::vector<hub_ended> out;
  for (auto at = fetches.begin(); at != fetches.end();) {
    auto f = at++;
    if (f->job.now_in() != hub_job::state::ended) continue;
    drop(*f);
    out.push_back({f->number, f->job.take_result()});
    fetches.erase(f);
  }
  return out;
}

std::chrono::milliseconds hub_client::implementation::patience(std::chrono::milliseconds limit) const {
  using std::chrono::milliseconds;
  if (has_work()) return milliseconds(0);
  auto now = clock.now();
  for (auto& f : fetches) {
    auto until = std::chrono::ceil<milliseconds>(f.job.deadline() - now);
    limit = std::clamp(until, milliseconds(0), limit);
  }
  return limit;
}

hub_client::hub_client(std::unique_ptr<implementation> all) : all_(std::move(all)) {}

hub_client::~hub_client() {
  all_.reset();
  // Its end takes away what OpenSSL keeps for this thread, which is not joined.
  sha256 last;
}

result<std::unique_ptr<hub_client>> hub_client::make(hub_options options, const clock_source& clock) {
  static const auto ready = curl_global_init(CURL_GLOBAL_DEFAULT);
  auto multi = ready == CURLE_OK ? curl_multi_init() : nullptr;
  if (!multi) return fail(errc::internal, "downloads cannot be made ready");
  curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, most_idle_connections);
  return std::unique_ptr<hub_client>(
      new hub_client(std::make_unique<implementation>(std::move(options), clock, multi)));
}

result<std::uint64_t> hub_client::start(hub_fetch fetch) {
  if (all_->fetches.size() >= all_->options.max_fetches)
    return fail(errc::overloaded, std::to_string(all_->fetches.size()) +
                                      " adapters are being downloaded or wait for it; try again later");
  all_->fetches.emplace_back(*all_, ++all_->last_number, std::move(fetch));
  return all_->last_number;
}

std::vector<hub_ended> hub_client::run(std::chrono::milliseconds limit) {
  auto move = [&] {
    all_->move_jobs();
    all_->begin_what_is_ready();
    int running = 0;
    curl_multi_perform(all_->multi.get(), &running);
    all_->take_messages();
  };
  move();
  auto wait = all_->patience(limit);
  curl_multi_poll(all_->multi.get(), nullptr, 0, static_cast<int>(std::min<long>(wait.count(), 3'600'000)),
                  nullptr);
  move();
  return all_->take_ended();
}

void hub_client::wake() noexcept {
  curl_multi_wakeup(all_->multi.get());
}

bool hub_client::idle() const noexcept {
  return all_->fetches.empty();
}

}  // namespace lorica
