// The stream of events: order, slow readers, clients that leave.
#include <atomic>
#include <deque>
#include <mutex>
#include <sstream>
#include <thread>

#include "core/json.hpp"
#include "net/event_feed.hpp"
#include "net/exchange.hpp"
#include "tests/catch.hpp"
#include "tests/net/fake_services.hpp"
#include "tests/net/raw_client.hpp"

using namespace lorica;
using namespace lorica::testing;

namespace {

constexpr auto events = "/v1/adapters/events";

adapter_event numbered(std::uint64_t number) {
  adapter_event out;
  out.number = number;
  out.at = 1'700'000'000'123;
  out.kind = "ready";
  out.name = "sql";
  return out;
}

/// The events among messages of an exchange, as `1 2 m3 4`: numbers, and counts of missed ones.
std::string told(const std::vector<reply_message>& messages) {
  std::string out;
  for (auto& m : messages) {
    auto event = std::get_if<stream_event>(&m);
    if (!event) continue;
    auto json = parse_json(event->text.substr(6));
    REQUIRE(json);
    if (auto missed = json->find("missed"))
      out += "m" + std::to_string(*missed->as_int()) + " ";
    else
      out += std::to_string(*json->find("number")->as_int()) + " ";
  }
  return out;
}

std::size_t size_of(const reply_message& m) {
  auto event = std::get_if<stream_event>(&m);
  return event ? event->text.size() : 0;
}

}  // namespace

TEST_CASE("events arrive in order, one in a write, from the subscription on") {
  test_server s;
  s.adapters.first_event = numbered(1);
  raw_client client(s.port());
  client.ask("GET", events);
  auto head = client.read_head();
  CHECK(head.status == 200);
  CHECK(head.fields["content-type"] == "text/event-stream");
  CHECK(head.fields["cache-control"] == "no-cache");
  CHECK(head.fields["x-accel-buffering"] == "no");
  CHECK(head.fields["transfer-encoding"] == "chunked");
  CHECK(client.read_chunk() ==
        "data: {\"number\":1,\"at\":1700000000123,\"kind\":\"ready\",\"name\":\"sql\",\"version\":null,"
        "\"because\":null}\n\n");
  auto second = numbered(2);
  second.kind = "evicted";
  second.version = version_ab();
  second.because = "\xe2\x80\xa8room for \"x\"";
  s.adapters.emit(second);
  CHECK(client.read_chunk() ==
        "data: {\"number\":2,\"at\":1700000000123,\"kind\":\"evicted\",\"name\":\"sql\","
        "\"version\":\"ab" +
            std::string(62, '0') + "\",\"because\":\"???room for \\\"x\\\"\"}\n\n");
  for (std::uint64_t n = 3; n < 300; ++n)
    s.adapters.emit(numbered(n));
  for (std::uint64_t n = 3; n < 300; ++n)
    REQUIRE_THAT(client.read_chunk(), Catch::StartsWith("data: {\"number\":" + std::to_string(n) + ","));
  client.reset();
  CHECK(s.adapters.wait_watchers(0));
  CHECK(s.wait_quiet());
}

TEST_CASE("a word about an event is for everybody, a sentence for the administration") {
  auto event = numbered(1);
  for (auto word : {"", "rank_too_large"}) {
    event.because = word;
    CHECK(event_json(event, audience::client) == event_json(event, audience::administration));
  }
  event.because = "adapters/sql is gone";
  CHECK_THAT(event_json(event, audience::administration), Catch::Contains(event.because));
  CHECK_THAT(event_json(event, audience::client), Catch::Contains("\"because\":null"));
  server_options o;
  o.secrets.administration.add("chief");
  test_server s(o);
  s.adapters.first_event = event;
  for (auto [key, told] : {std::pair("", false), std::pair("Authorization: Bearer chief\r\n", true)}) {
    raw_client client(s.port());
    client.ask("GET", events, {}, key);
    CHECK(client.read_head().status == 200);
    CHECK((client.read_chunk().find("gone") != std::string::npos) == told);
    client.reset();
  }
  CHECK(s.wait_quiet());
}

TEST_CASE("a watch ends with its client, however it leaves, and with a silent one by the comment") {
  server_options o;
  o.heartbeat = 20ms;
  test_server s(o);
  raw_client reset(s.port());
  reset.ask("GET", events);
  CHECK(reset.read_head().status == 200);
  CHECK(reset.read_chunk() == ":\n\n");
  {
    raw_client closed(s.port());
    closed.ask("GET", events);
    CHECK(closed.read_head().status == 200);
    CHECK(s.adapters.wait_watchers(2));
  }
  CHECK(s.adapters.wait_watchers(1));
  reset.reset();
  CHECK(s.adapters.wait_watchers(0));
  s.adapters.emit(numbered(1));
  CHECK(s.wait_quiet());
}

TEST_CASE("sixteen may watch, the next gets 429, and a place is free when one leaves") {
  test_server s;
  std::vector<std::unique_ptr<raw_client>> clients;
  for (int i = 0; i < 16; ++i) {
    clients.push_back(std::make_unique<raw_client>(s.port()));
    clients.back()->ask("GET", events);
    REQUIRE(clients.back()->read_head().status == 200);
  }
  auto refused = get(s.port(), events);
  CHECK(refused.status == 429);
  CHECK(refused.fields.contains("retry-after"));
  CHECK_THAT(refused.body, Catch::Contains("at most 16"));
  CHECK(s.adapters.watchers() == 16);
  clients.front()->reset();
  CHECK(s.adapters.wait_watchers(15));
  raw_client next(s.port());
  next.ask("GET", events);
  CHECK(next.read_head().status == 200);
  next.reset();
  for (auto& c : clients)
    c->reset();
  CHECK(s.wait_quiet());
}

TEST_CASE("a service that takes no more watchers is 429 too") {
  test_server s;
  s.adapters.most_watchers = 0;
  CHECK(get(s.port(), events).status == 429);
  for (int i = 0; i < 20; ++i)
    CHECK(get(s.port(), events).status == 429);
  CHECK(s.wait_quiet());
}

TEST_CASE("streams of events end cleanly when the server drains, and none begins") {
  test_server s;
  raw_client client(s.port());
  client.ask("GET", events);
  CHECK(client.read_head().status == 200);
  s.front.drain();
  CHECK(client.read_chunk().empty());
  CHECK(s.adapters.wait_watchers(0));
  client.half_close();
  CHECK(s.front.wait_until_idle(10s));
  CHECK(s.wait_quiet());
}

TEST_CASE("stop cuts streams of events and lets their watches go") {
  test_server s;
  raw_client client(s.port());
  client.ask("GET", events);
  CHECK(client.read_head().status == 200);
  s.front.stop();
  CHECK(s.adapters.wait_watchers(0));
  s.adapters.emit(numbered(1));
  CHECK(client.read_chunk().empty());
}

TEST_CASE("HEAD shows the head and watches nothing; HTTP/1.0 gets no stream") {
  test_server s;
  raw_client client(s.port());
  client.ask("HEAD", events);
  auto head = client.read_head();
  CHECK(head.status == 200);
  CHECK(head.fields["content-type"] == "text/event-stream");
  client.ask("GET", "/health");
  CHECK(client.read().status == 200);
  raw_client old(s.port());
  old.send("GET /v1/adapters/events HTTP/1.0\r\n\r\n");
  CHECK(old.read().status == 400);
  CHECK(s.adapters.wait_watchers(0));
  CHECK(get(s.port(), std::string(events) + "?since=3").status == 400);
  client.half_close();
  old.half_close();
  CHECK(s.wait_quiet());
}

TEST_CASE("a slow reader loses events, is told how many, and hears the next ones") {
  std::vector<reply_message> out;
  constexpr std::size_t bound = 1000;
  auto way = std::make_shared<exchange>([&](reply_message m) { out.push_back(std::move(m)); }, bound);
  auto feed = std::make_shared<event_feed>(way, audience::client);
  way->attach(feed);
  feed->begin();
  std::uint64_t number = 0;
  while (!way->saturated())
    feed->tell(numbered(++number));
  auto sent = number;
  for (int i = 0; i < 5; ++i)
    feed->tell(numbered(++number));
  CHECK(out.size() == sent + 1);
  // The client reads on: at half the bound it is told, without another event.
  std::size_t read = 1;
  while (out.size() == sent + 1)
    way->written(size_of(out.at(read++)));
  feed->tell(numbered(++number));
  std::string expected;
  for (std::uint64_t n = 1; n <= sent; ++n)
    expected += std::to_string(n) + " ";
  CHECK(told(out) == expected + "m5 " + std::to_string(number) + " ");
  feed->end();
  feed->tell(numbered(++number));
  CHECK(std::holds_alternative<stream_end>(out.back()));
}

TEST_CASE("however teller and reader meet, no lost event stays untold") {
  constexpr std::uint64_t count = 2000;
  for (int round = 0; round < 300; ++round) {
    std::mutex changing;
    std::deque<reply_message> waiting;
    auto way = std::make_shared<exchange>(
        [&](reply_message m) {
          std::lock_guard hold(changing);
          waiting.push_back(std::move(m));
        },
        500);
    auto feed = std::make_shared<event_feed>(way, audience::client);
    way->attach(feed);
    feed->begin();
    std::atomic<bool> all_told{false};
    std::thread teller([&] {
      for (std::uint64_t n = 1; n <= count; ++n)
        feed->tell(numbered(n));
      all_told = true;
    });
    std::vector<reply_message> read;
    while (true) {
      bool last = all_told;
      std::unique_lock hold(changing);
      if (waiting.empty() && last) break;
      if (waiting.empty()) continue;
      read.push_back(std::move(waiting.front()));
      waiting.pop_front();
      hold.unlock();
      if (auto size = size_of(read.back())) way->written(size);
    }
    teller.join();
    std::uint64_t heard = 0;
    std::istringstream words(told(read));
    for (std::string word; words >> word;)
      heard += word[0] == 'm' ? std::stoull(word.substr(1)) : 1;
    REQUIRE(heard == count);
    way->abandon();
  }
}

TEST_CASE("what is told before the head waits for it, up to a bound") {
  std::vector<reply_message> out;
  auto way = std::make_shared<exchange>([&](reply_message m) { out.push_back(std::move(m)); }, 1 << 20);
  auto feed = std::make_shared<event_feed>(way, audience::client);
  for (std::uint64_t n = 1; n <= 70; ++n)
    feed->tell(numbered(n));
  CHECK(out.empty());
  feed->begin();
  REQUIRE(std::holds_alternative<stream_head>(out.front()));
  CHECK_THAT(told(out), Catch::StartsWith("m6 1 2 ") && Catch::EndsWith(" 63 64 "));
  feed->cancel();
  feed->tell(numbered(71));
  CHECK(out.size() == 66);
}

TEST_CASE("feeds are counted while they live, and after the end none is taken") {
  auto way = std::make_shared<exchange>([](reply_message) {}, 1000);
  event_feeds all;
  std::vector<std::shared_ptr<event_feed>> some(event_feeds::limit);
  for (auto& feed : some) {
    feed = std::make_shared<event_feed>(way, audience::client);
    CHECK(all.add(feed));
  }
  auto next = std::make_shared<event_feed>(way, audience::client);
  CHECK_FALSE(all.add(next));
  some.pop_back();
  CHECK(all.add(next));
  all.end_all();
  some.clear();
  next.reset();
  CHECK_FALSE(all.add(std::make_shared<event_feed>(way, audience::client)));
}

TEST_CASE("over a socket, a reader that stops loses events and the server nothing") {
  server_options o;
  o.output_limit = 4096;
  test_server s(o);
  raw_client client(s.port(), 4096);
  client.ask("GET", events);
  CHECK(client.read_head().status == 200);
  // Far more than what the sockets hold.
  constexpr std::uint64_t count = 200'000;
  for (std::uint64_t n = 1; n <= count; ++n)
    s.adapters.emit(numbered(n));
  std::uint64_t heard = 0, missed = 0, latest = 0;
  while (heard + missed < count) {
    auto chunk = client.read_chunk();
    REQUIRE_FALSE(chunk.empty());
    if (!chunk.starts_with("data: ")) continue;
    auto json = parse_json(chunk.substr(6));
    REQUIRE(json);
    if (auto lost = json->find("missed")) {
      missed += static_cast<std::uint64_t>(*lost->as_int());
      continue;
    }
    ++heard;
    auto number = static_cast<std::uint64_t>(*json->find("number")->as_int());
    REQUIRE(number == heard + missed);
    REQUIRE(number > latest);
    latest = number;
  }
  CHECK(missed > 0);
  CHECK(heard > 0);
  client.reset();
  CHECK(s.adapters.wait_watchers(0));
  CHECK(s.wait_quiet());
}
