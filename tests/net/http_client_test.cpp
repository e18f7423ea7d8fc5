#include "net/http_client.hpp"

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <future>

#include "tests/catch.hpp"
#include "tests/net/scripted_server.hpp"

using namespace lorica;
using namespace lorica::testing;
using namespace std::chrono_literals;

namespace {

const std::string head = "HTTP/1.1 200 OK\r\n";

http_client client_of(const scripted_server& server, http_client_options options = {}) {
  options.url = server.url();
  auto made = http_client::open(std::move(options));
  REQUIRE(made);
  return *std::move(made);
}

/// Answers every request of a connection with the same bytes, then closes or goes on.
scripted_server::script always(std::string bytes) {
  return [bytes = std::move(bytes)](scripted_peer& peer) {
    while (!peer.read().empty())
      if (!peer.write(bytes)) return;
  };
}

/// Answers one request, then closes.
scripted_server::script once(std::string bytes) {
  return [bytes = std::move(bytes)](scripted_peer& peer) {
    peer.read();
    peer.write(bytes);
  };
}

std::string chunk(const std::string& bytes) {
  char size[16];
  std::snprintf(size, sizeof size, "%zx\r\n", bytes.size());
  return size + bytes + "\r\n";
}

error failure_of(const scripted_server& server, http_client_options options = {}) {
  auto client = client_of(server, std::move(options));
  auto reply = client.send({.target = "/x"});
  REQUIRE_FALSE(reply);
  return reply.error();
}

}  // namespace

TEST_CASE("a client sends method, target, key and body, and reads status, fields and body") {
  std::string seen;
  scripted_server server([&](scripted_peer& peer) {
    seen = peer.read();
    peer.write("HTTP/1.1 202 Accepted\r\nLocation: /v1/there \r\nX-Two: a\r\ncontent-length: 5\r\n\r\nhello");
  });
  auto client = client_of(server, {.key = "se-cret"});
  auto reply = client.send({.method = "PUT", .target = "/v1/adapters/a%2Fb?wait=true", .body = R"({"a":1})"});
  REQUIRE(reply);
  CHECK(reply->status == 202);
  CHECK(reply->body == "hello");
  CHECK(reply->field("location") == "/v1/there");
  CHECK(reply->field("x-two") == "a");
  CHECK(reply->field("absent").empty());
  CHECK_THAT(seen, Catch::StartsWith("PUT /v1/adapters/a%2Fb?wait=true HTTP/1.1\r\n"));
  CHECK_THAT(seen, Catch::Contains("\r\nAuthorization: Bearer se-cret\r\n"));
  CHECK_THAT(seen, Catch::Contains("\r\nContent-Type: application/json\r\n"));
  CHECK_THAT(seen, Catch::EndsWith("\r\n\r\n{\"a\":1}"));
}

TEST_CASE("requests of one client share a connection, and a new one is made when it is gone") {
  scripted_server kept(always(head + "Content-Length: 1\r\n\r\nx"));
  auto client = client_of(kept);
  for (int i = 0; i < 3; ++i)
    REQUIRE(client.send({.target = "/"}));
  CHECK(kept.connections() == 1);
  scripted_server closing(once(head + "Content-Length: 1\r\n\r\nx"));
  auto other = client_of(closing);
  for (int i = 0; i < 3; ++i)
    REQUIRE(other.send({.target = "/"}));
  CHECK(closing.connections() == 3);
}

TEST_CASE("a chunked body is joined, and a broken one is refused") {
  scripted_server good(once(head + "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n"));
  auto reply = client_of(good).send({.target = "/"});
  REQUIRE(reply);
  CHECK(reply->body == "abcde");
  for (auto broken :
       {"3\r\nabc\r\nzz\r\n", "ffffffffffffffffff\r\nabc", "3\r\nabc\r\n2\r\n", "3\r\nabcd\r\n"}) {
    scripted_server server(once(head + "Transfer-Encoding: chunked\r\n\r\n" + broken));
    auto why = failure_of(server);
    CHECK(why.code == errc::malformed);
    CHECK_THAT(why.text, Catch::Contains("broke off"));
  }
}

TEST_CASE("a reply that is cut, missing or not HTTP is an error that says so") {
  scripted_server cut(once(head + "Content-Length: 10\r\n\r\nabc"));
  CHECK(failure_of(cut).code == errc::malformed);
  scripted_server cut_in_head(once("HTTP/1.1 200 OK\r\nContent-Le"));
  CHECK(failure_of(cut_in_head).code == errc::malformed);
  scripted_server silent([](scripted_peer& peer) { peer.read(); });
  CHECK_THAT(failure_of(silent).text, Catch::Contains("closed the connection"));
  scripted_server other(once("SSH-2.0-OpenSSH_9\r\n"));
  CHECK(failure_of(other).code == errc::malformed);
}

TEST_CASE("bodies and heads have bounds") {
  scripted_server large(once(head + "Content-Length: 1001\r\n\r\n" + std::string(1001, 'x')));
  auto why = failure_of(large, {.most_bytes = 1000});
  CHECK(why.code == errc::malformed);
  CHECK_THAT(why.text, Catch::Contains("1000 bytes"));
  scripted_server fits(once(head + "Content-Length: 1000\r\n\r\n" + std::string(1000, 'x')));
  auto reply = client_of(fits, {.most_bytes = 1000}).send({.target = "/"});
  REQUIRE(reply);
  CHECK(reply->body.size() == 1000);
  scripted_server endless([](scripted_peer& peer) {
    peer.read();
    peer.write(head + "Transfer-Encoding: chunked\r\n\r\n");
    while (peer.write(chunk(std::string(1024, 'x')))) {
    }
  });
  CHECK(failure_of(endless, {.most_bytes = 100'000}).code == errc::malformed);
  scripted_server fields([](scripted_peer& peer) {
    peer.read();
    peer.write(head);
    while (peer.write("X-More: " + std::string(1000, 'y') + "\r\n")) {
    }
  });
  CHECK_THAT(failure_of(fields).text, Catch::Contains("64 KiB"));
}

TEST_CASE("a server that is silent or drips ends with a timeout") {
  scripted_server silent([](scripted_peer& peer) { peer.await_close(); });
  CHECK(failure_of(silent, {.timeout = 100ms}).code == errc::timeout);
  // Each byte comes in time, the whole never does.
  std::atomic<bool> ended{false};
  scripted_server dripping([&](scripted_peer& peer) {
    peer.read();
    peer.write(head + "Transfer-Encoding: chunked\r\n\r\n");
    while (!ended && peer.write("1\r\nx\r\n")) {
      std::promise<void> never;
      never.get_future().wait_for(1ms);
    }
  });
  CHECK(failure_of(dripping, {.timeout = 150ms}).code == errc::timeout);
  ended = true;
}

TEST_CASE("a redirect is a reply and is not followed") {
  scripted_server target(always(head + "Content-Length: 4\r\n\r\nhere"));
  scripted_server server(
      once("HTTP/1.1 302 Found\r\nLocation: " + target.url() + "/\r\nContent-Length: 0\r\n\r\n"));
  auto reply = client_of(server, {.key = "k"}).send({.target = "/"});
  REQUIRE(reply);
  CHECK(reply->status == 302);
  CHECK(target.connections() == 0);
}

TEST_CASE("nobody at the port is an error with the place, and without the key") {
  auto port = std::to_string(closed_port());
  auto client = http_client::open({.url = "http://127.0.0.1:" + port, .key = "se-cret"});
  REQUIRE(client);
  auto reply = client->send({.target = "/"});
  REQUIRE_FALSE(reply);
  CHECK(reply.error().code == errc::io);
  CHECK_THAT(reply.error().text, Catch::Contains("127.0.0.1:" + port) && !Catch::Contains("cret"));
}

TEST_CASE("addresses and keys that cannot be are refused without showing a secret") {
  for (auto url :
       {"", "127.0.0.1:3000/", "ftp://host", "http://", "http://user:se-cret@host", "http://host?a=1",
        "http://host#a", "http://ho st", "file:///etc/passwd", "http://host:99999"}) {
    INFO(url);
    auto client = http_client::open({.url = url});
    REQUIRE_FALSE(client);
    CHECK(client.error().code == errc::bad_config);
    CHECK_THAT(client.error().text, !Catch::Contains("se-cret") && Catch::Contains("http://HOST:PORT"));
  }
  for (auto key : {"a\r\nX-Evil: 1", "a b", "\x01"}) {
    auto client = http_client::open({.url = "http://host", .key = key});
    REQUIRE_FALSE(client);
    CHECK(client.error().param == "api-key");
  }
}

TEST_CASE("an address may have a prefix, and a slash at its end") {
  std::string seen;
  scripted_server server([&](scripted_peer& peer) {
    seen = peer.read();
    peer.write(head + "Content-Length: 0\r\n\r\n");
  });
  auto client = http_client::open({.url = server.url() + "/lorica/"});
  REQUIRE(client);
  REQUIRE(client->send({.target = "/health"}));
  CHECK_THAT(seen, Catch::StartsWith("GET /lorica/health HTTP/1.1"));
  CHECK(client->place() == "127.0.0.1:" + std::to_string(server.port()));
}

TEST_CASE("proxies of the environment are not asked for what is on this machine") {
  ::setenv("http_proxy", ("http://127.0.0.1:" + std::to_string(closed_port())).c_str(), 1);
  scripted_server server(once(head + "Content-Length: 2\r\n\r\nok"));
  auto reply = client_of(server).send({.target = "/"});
  ::unsetenv("http_proxy");
  REQUIRE(reply);
  CHECK(reply->body == "ok");
}

TEST_CASE("a stream is handed over line by line, however it is cut into pieces") {
  scripted_server server([](scripted_peer& peer) {
    peer.read();
    peer.write(head + "Transfer-Encoding: chunked\r\n\r\n");
    for (std::string piece : {"da", "ta: 1\n", "\ndata: 2\r\n:", " comment\nlast"})
      peer.write(chunk(piece));
    peer.write("0\r\n\r\n");
  });
  std::vector<std::string> lines;
  bool began = false;
  auto client = client_of(server);
  auto reply = client.stream(
      {.target = "/events"},
      [&](std::string_view line) {
        CHECK(began);
        lines.emplace_back(line);
        return stream_wish::more;
      },
      {}, [&] { began = true; });
  REQUIRE(reply);
  CHECK(reply->status == 200);
  CHECK(lines == std::vector<std::string>{"data: 1", "", "data: 2", ": comment"});
}

TEST_CASE("a stream ends when its reader has enough, at a silence, at a long line and at a cut") {
  auto lines = [](std::string text) {
    return [text = std::move(text)](scripted_peer& peer) {
      peer.read();
      peer.write(head + "\r\n" + text);
      peer.await_close();
    };
  };
  int seen = 0;
  auto count = [&](std::string_view) { return ++seen == 2 ? stream_wish::enough : stream_wish::more; };
  scripted_server many(lines("a\nb\nc\n"));
  REQUIRE(client_of(many).stream({.target = "/"}, count));
  CHECK(seen == 2);
  auto ignore = [](std::string_view) { return stream_wish::more; };
  auto stop = client_of(many, {.silence = 50ms}).stream({.target = "/"}, ignore);
  REQUIRE_FALSE(stop);
  CHECK(stop.error().code == errc::timeout);
  scripted_server wide(lines(std::string(101, 'x')));
  auto long_line = client_of(wide, {.longest_line = 100}).stream({.target = "/"}, ignore);
  REQUIRE_FALSE(long_line);
  CHECK_THAT(long_line.error().text, Catch::Contains("100 bytes"));
  scripted_server cut(once(head + "Transfer-Encoding: chunked\r\n\r\n2\r\na\n\r\n"));
  auto broken = client_of(cut).stream({.target = "/"}, ignore);
  REQUIRE_FALSE(broken);
  CHECK(broken.error().code == errc::malformed);
}

TEST_CASE("a stream that is refused is a plain reply") {
  scripted_server server(once("HTTP/1.1 429 Too Many\r\nContent-Length: 9\r\n\r\nno\nplaces"));
  bool any = false;
  auto reply = client_of(server).stream({.target = "/"}, [&](std::string_view) {
    any = true;
    return stream_wish::more;
  });
  REQUIRE(reply);
  CHECK(reply->status == 429);
  CHECK(reply->body == "no\nplaces");
  CHECK_FALSE(any);
}

TEST_CASE("a stop from another thread ends a request that waits") {
  std::stop_source stop;
  scripted_server server([&](scripted_peer& peer) {
    peer.read();
    stop.request_stop();
    peer.await_close();
  });
  auto client = client_of(server, {.timeout = 250s});
  auto reply = client.send({.target = "/"}, stop.get_token());
  REQUIRE_FALSE(reply);
  CHECK(reply.error().code == errc::cancelled);
}

TEST_CASE("parts of a path are encoded") {
  CHECK(url_part("org/a b-._~Z9") == "org%2Fa%20b-._~Z9");
  CHECK(url_part("\xc3\xa4%") == "%C3%A4%25");
}
