// Clients that are slow, many or greedy: every limit is reached, and what others ask for is answered
// meanwhile.
#include "net/byte_budget.hpp"
#include "net/connection_cap.hpp"
#include "net/session_registry.hpp"
#include "tests/catch.hpp"
#include "tests/net/fake_services.hpp"
#include "tests/net/gate.hpp"
#include "tests/net/raw_client.hpp"

using namespace lorica;
using namespace lorica::testing;

namespace {

const std::string body = R"({"inputs":"Hey","parameters":{}})";
constexpr auto moment = 5ms;      // between two bytes of a client that is never silent for long
constexpr int many_bytes = 2000;  // of which the last would come long after every deadline here

std::string head_of(std::size_t length, std::string_view path = "/generate") {
  return "POST " + std::string(path) + " HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::to_string(length) +
         "\r\n\r\n";
}

/// Sends byte after byte until the server says something; the number of bytes sent.
int drip(raw_client& client) {
  for (int sent = 0; sent < many_bytes; ++sent) {
    if (client.readable(moment)) return sent;
    client.send("a");
  }
  return many_bytes;
}

}  // namespace

TEST_CASE("a header that comes byte by byte gets no more time than one that stops") {
  server_options o;
  o.header_timeout = 100ms;
  o.idle_timeout = 60'000ms;
  test_server s(o);
  raw_client fresh(s.port());
  fresh.send("GET /health HTTP/1.1\r\nX: ");
  CHECK(drip(fresh) < many_bytes);
  CHECK(fresh.read().status == 408);
  CHECK(fresh.at_end());
  raw_client used(s.port());
  used.get("/health");
  CHECK(used.read().status == 200);
  used.send("GET /health HTTP/1.1\r\nX: ");
  CHECK(drip(used) < many_bytes);
  CHECK(used.read().status == 408);
}

TEST_CASE("a new connection that asks for nothing ends when a header should have come") {
  server_options o;
  o.header_timeout = 50ms;
  o.idle_timeout = 60'000ms;
  test_server s(o);
  raw_client silent(s.port());
  CHECK(silent.at_end());
}

TEST_CASE("a body that never stops coming must come at some rate") {
  server_options o;
  o.body_timeout = 60'000ms;
  o.body_grace = 100ms;
  test_server s(o);
  raw_client client(s.port());
  client.send(head_of(10'000));
  CHECK(drip(client) < many_bytes);
  auto reply = client.read();
  CHECK(reply.status == 408);
  CHECK_THAT(reply.body, Catch::Contains("The body did not come in time"));
  CHECK(client.at_end());
}

TEST_CASE("a reader that sips is cut, though no single write takes long") {
  server_options o;
  o.output_limit = 64 * 1024;
  o.drain_timeout = 300ms;
  test_server s(
      [](fake_run& run) {
        run.start();
        while (!run.cancelled()) {
          if (run.sink->saturated())
            run.wait_resumed();
          else
            run.token("token");
        }
      },
      o);
  raw_client client(s.port(), 4096);
  client.post("/generate_stream", body);
  REQUIRE(s.generations.wait_started(1));
  int sips = 0;
  while (sips < many_bytes && !s.generations.wait_cancelled(1, moment)) {
    client.sip(64);
    ++sips;
  }
  CHECK(sips < many_bytes);
  CHECK(s.wait_quiet());
}

TEST_CASE("a connection that idles goes sooner when three of four are taken, and stays otherwise") {
  server_options o;
  o.max_connections = 4;
  o.header_timeout = 50ms;
  o.idle_timeout = 60'000ms;
  test_server s(o);
  auto served = [&] {
    auto client = std::make_unique<raw_client>(s.port());
    client->get("/health");
    CHECK(client->read().status == 200);
    return client;
  };
  auto first = served();
  CHECK_FALSE(first->readable(200ms));
  auto second = served(), third = served();
  CHECK(third->at_end());
  first->get("/health");
  CHECK(first->read().status == 200);
}

TEST_CASE("one address gets so many connections, and again when one of them ends") {
  server_options o;
  o.max_connections_each_address = 2;
  o.header_timeout = 60'000ms;
  test_server s(o);
  auto first = std::make_unique<raw_client>(s.port());
  raw_client second(s.port());
  for (auto client : {first.get(), &second}) {
    client->get("/health");
    CHECK(client->read().status == 200);
  }
  raw_client third(s.port());
  CHECK(third.at_end());
  first.reset();
  CHECK(eventually([&] { return get(s.port(), "/health").status == 200; }));
}

TEST_CASE("addresses count together by site") {
  CHECK(address_group("192.0.2.7") == "192.0.2.7");
  CHECK(address_group("::ffff:192.0.2.7") == "192.0.2.7");
  CHECK(address_group("2001:db8:1:2:3:4:5:6") == "2001:db8:1:2::");
  CHECK(address_group("2001:db8:1:2::9") == "2001:db8:1:2::");
  CHECK(address_group("2001:db8:1:3::9") == "2001:db8:1:3::");
}

TEST_CASE("with all connections taken, health and metrics are answered, others told to come back") {
  server_options o;
  o.max_connections = 1;
  o.reserved_connections = 3;
  o.secrets.clients.add("key");
  test_server s(o);
  raw_client ordinary(s.port());
  ordinary.get("/health");
  CHECK(ordinary.read().status == 200);
  for (auto path : {"/health", "/", "/ping", "/metrics"}) {
    raw_client client(s.port());
    client.get(path, "Authorization: Bearer key\r\n");
    auto reply = client.read();
    CHECK(reply.status == 200);
    CHECK(reply.fields["connection"] == "close");
    CHECK(client.at_end());
  }
  CHECK(get(s.port(), "/metrics").status == 401);
  auto refused = post(s.port(), "/generate", body, "Authorization: Bearer key\r\n");
  CHECK(refused.status == 429);
  CHECK(refused.fields["connection"] == "close");
  CHECK(refused.fields.contains("retry-after"));
  CHECK(get(s.port(), "/info", "Authorization: Bearer key\r\n").status == 429);
  ordinary.post("/generate", body, "Authorization: Bearer key\r\n");
  CHECK(ordinary.read().status == 200);
}

TEST_CASE("who holds a reserved connection without asking loses it soon, so that health stays in reach") {
  server_options o;
  o.max_connections = 1;
  o.reserved_connections = 2;
  o.reserved_timeout = 50ms;
  o.header_timeout = 60'000ms;
  test_server s(o);
  raw_client ordinary(s.port());
  ordinary.get("/health");
  CHECK(ordinary.read().status == 200);
  raw_client silent(s.port()), slow(s.port());
  slow.send("GET /health HTTP/1.1\r\n");
  raw_client probe(s.port());
  probe.get("/health");
  CHECK(probe.read().status == 200);
  CHECK(silent.at_end());
  CHECK(slow.read().status == 408);
}

TEST_CASE("connections are fewer where the process may not open so many files") {
  CHECK(connection_cap(15'000, 32, 20'000) == 15'000);
  CHECK(connection_cap(15'000, 32, 4096) == 4096 - 512 - 32);
  CHECK(connection_cap(15'000, 32, 1024) == 1024 - 256 - 32);
  CHECK(connection_cap(100, 32, 1024) == 100);
  CHECK(connection_cap(15'000, 32, 16) == 1);
}

TEST_CASE("bodies that are being read have a limit together, and the place is free again") {
  server_options o;
  o.max_body_bytes = 1000;
  test_server s(o);
  auto json = body + std::string(800 - body.size(), ' ');
  raw_client first(s.port());
  first.send("POST /generate HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: " +
             std::to_string(json.size()) + "\r\n\r\n");
  REQUIRE(first.read_head().status == 100);  // its place is taken
  first.send(json.substr(0, 100));
  auto refused = post(s.port(), "/generate", json);
  CHECK(refused.status == 429);
  CHECK(refused.fields["connection"] == "close");
  CHECK(refused.fields.contains("retry-after"));
  first.send(json.substr(100));
  CHECK(first.read().status == 200);
  CHECK(post(s.port(), "/generate", json).status == 200);
  raw_client chunked(s.port());
  chunked.send("POST /generate HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n");
  CHECK(chunked.read().status == 429);
}

TEST_CASE("a byte budget gives no more than it has, and takes back what holds had") {
  byte_budget budget(100);
  auto first = budget.open();
  CHECK(first.grow_to(60));
  CHECK(first.grow_to(50));
  CHECK(first.bytes() == 60);
  auto second = budget.open();
  CHECK_FALSE(second.grow_to(41));
  CHECK(second.grow_to(40));
  CHECK_FALSE(first.grow_to(61));
  CHECK(budget.used() == 100);
  first = std::move(second);
  CHECK(budget.used() == 40);
  first.release();
  CHECK(budget.used() == 0);
  CHECK_FALSE(byte_budget::hold().grow_to(1));
}

TEST_CASE("each route has its limit for bodies") {
  server_options o;
  o.payload_limit = 1000;
  test_server s(o);
  auto of = [&](std::string_view path, std::size_t size) {
    raw_client client(s.port());
    client.send(head_of(size, path) + std::string(size, ' '));
    return client.read().status;
  };
  CHECK(of("/generate", 1000) == 400);  // read, and no JSON
  CHECK(of("/generate", 1001) == 413);
  CHECK(of("/v1/completions", 4000) == 400);
  CHECK(of("/v1/completions", 4001) == 413);
  CHECK(of("/invocations", 4000) == 400);
  CHECK(of("/invocations", 4001) == 413);
  CHECK(of("/vertex", 1001) == 413);
  auto get_with = [&](std::size_t size) {
    raw_client client(s.port());
    client.send("GET /health HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::to_string(size) + "\r\n\r\n" +
                std::string(size, ' '));
    return client.read().status;
  };
  CHECK(get_with(64 * 1024) == 200);
  CHECK(get_with(64 * 1024 + 1) == 413);
}

TEST_CASE("a client that waits for a word is told before its body when there is no place") {
  gate go;
  test_server s([&](fake_run& run) {
    go.wait();
    run.play({"a"});
  });
  std::vector<std::unique_ptr<raw_client>> inside;
  for (std::uint32_t i = 0; i < test_info().max_concurrent_requests; ++i) {
    inside.push_back(std::make_unique<raw_client>(s.port()));
    inside.back()->post("/generate", body);
  }
  REQUIRE(s.generations.wait_started(inside.size()));
  raw_client waits(s.port());
  waits.send("POST /generate HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 1000\r\n\r\n");
  auto reply = waits.read();
  CHECK(reply.status == 429);
  auto seconds = std::stoi(reply.fields["retry-after"]);
  CHECK((seconds >= 1 && seconds <= 60));
  CHECK(get(s.port(), "/health").status == 200);
  go.open();
  for (auto& client : inside)
    CHECK(client->read().status == 200);
}

TEST_CASE("a client that sends more behind its request than is taken, and then leaves, is noticed") {
  test_server s([](fake_run& run) {
    run.wait_cancelled();
    run.sink->failed(fail(errc::cancelled, "Cancelled by the client"));
  });
  raw_client client(s.port());
  client.post("/generate", body);
  REQUIRE(s.generations.wait_started(1));
  client.send(std::string(100'000, 'a'));
  client.reset();
  CHECK(s.generations.wait_cancelled(1));
}

TEST_CASE("keys can be replaced while the server runs") {
  server_options o;
  o.secrets.clients.add("old");
  test_server s(o);
  raw_client client(s.port());
  auto status_with = [&](const std::string& key) {
    client.get("/info", "Authorization: Bearer " + key + "\r\n");
    return client.read().status;
  };
  CHECK(status_with("old") == 200);
  credentials fresh;
  fresh.clients.add("new");
  s.front.replace(fresh);
  CHECK(status_with("old") == 401);
  CHECK(status_with("new") == 200);
}
