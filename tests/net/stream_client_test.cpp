#include "net/stream_client.hpp"

#include <atomic>

#include "tests/catch.hpp"
#include "tests/net/scripted_server.hpp"

using namespace lorica;
using namespace lorica::testing;
using namespace std::chrono_literals;

namespace {

const std::string head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n";

stream_client client_of(const std::string& url, stream_client_options options = {}) {
  options.url = url;
  auto made = stream_client::open(std::move(options));
  REQUIRE(made);
  return *std::move(made);
}

/// What one exchange brought.
struct heard {
  std::vector<std::string> lines = {};
  std::optional<result<client_reply>> end = {};

  stream_listener listener() {
    return {[this](std::string_view line) { lines.emplace_back(line); },
            [this](result<client_reply> said) { end.emplace(std::move(said)); }};
  }
};

error failure_of(const std::string& url, stream_client_options options = {}) {
  auto client = client_of(url, std::move(options));
  heard h;
  client.post("/x", "{}", h.listener());
  client.run();
  REQUIRE(h.end);
  REQUIRE_FALSE(*h.end);
  return h.end->error();
}

}  // namespace

TEST_CASE("a stream client posts the body and hands over lines, however they are cut into chunks") {
  std::string seen;
  scripted_server server([&](scripted_peer& peer) {
    seen = peer.read();
    peer.write(head + "Transfer-Encoding: chunked\r\n\r\n");
    peer.write("4\r\ndata\r\n");
    peer.write("9\r\n: 1\r\n\r\nda\r\n");
    peer.write("6\r\nta: 2\n\r\n0\r\n\r\n");
  });
  auto client = client_of(server.url() + "/front/", {.key = "se-cret"});
  heard h;
  client.post("/v1/completions", R"({"a":1})", h.listener());
  client.run();
  REQUIRE(h.end);
  REQUIRE(*h.end);
  CHECK((*h.end)->status == 200);
  CHECK(h.lines == std::vector<std::string>{"data: 1", "", "data: 2"});
  CHECK_THAT(seen, Catch::StartsWith("POST /front/v1/completions HTTP/1.1\r\n"));
  CHECK_THAT(seen, Catch::Contains("\r\nAuthorization: Bearer se-cret\r\n"));
  CHECK_THAT(seen, Catch::EndsWith("\r\nContent-Length: 7\r\n\r\n{\"a\":1}"));
}

TEST_CASE("a refusal comes with its status and body and no line of it") {
  scripted_server server([](scripted_peer& peer) {
    peer.read();
    peer.write("HTTP/1.1 429 Too Many Requests\r\nContent-Length: 6\r\n\r\nno\nno\n");
  });
  auto client = client_of(server.url());
  heard h;
  client.post("/x", "{}", h.listener());
  client.run();
  REQUIRE(h.end);
  REQUIRE(*h.end);
  CHECK((*h.end)->status == 429);
  CHECK((*h.end)->body == "no\nno\n");
  CHECK(h.lines.empty());
}

TEST_CASE("exchanges one after the other share a connection, and one that the server closed is made anew") {
  std::atomic<int> answers = 0;
  scripted_server server([&](scripted_peer& peer) {
    // Two answers a connection, as a server that closes idle ones.
    for (int i = 0; i < 2 && !peer.read().empty(); ++i, ++answers)
      peer.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nx\n");
  });
  auto client = client_of(server.url());
  int good = 0;
  std::function<void()> next = [&] {
    client.post("/x", "{}", {{}, [&](result<client_reply> said) {
                               if (said && said->status == 200 && ++good < 5) next();
                             }});
  };
  next();
  client.run();
  CHECK(good == 5);
  CHECK(answers == 5);
  CHECK(server.connections() == 3);
}

TEST_CASE("a time comes inside run, and exchanges may begin there") {
  scripted_server server([](scripted_peer& peer) {
    peer.read();
    peer.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nx\n");
  });
  auto client = client_of(server.url());
  heard h;
  auto due = stream_client::clock::now() + 5ms;
  client.at(due, [&] {
    CHECK(stream_client::clock::now() >= due);
    client.post("/x", "{}", h.listener());
  });
  client.run();
  REQUIRE(h.end);
  CHECK(*h.end);
}

TEST_CASE("a stream client says what is wrong with an answer") {
  auto once = [](std::string bytes) {
    return [bytes = std::move(bytes)](scripted_peer& peer) {
      peer.read();
      peer.write(bytes);
    };
  };
  auto nobody = failure_of("http://127.0.0.1:" + std::to_string(closed_port()));
  CHECK(nobody.code == errc::io);
  CHECK_THAT(nobody.text, Catch::StartsWith("Nobody answers at 127.0.0.1:"));

  scripted_server cut(once(head + "Transfer-Encoding: chunked\r\n\r\n5\r\nda"));
  CHECK(failure_of(cut.url()).code == errc::malformed);
  CHECK_THAT(failure_of(cut.url()).text, Catch::EndsWith("broke off"));

  scripted_server other(once("hello\r\n\r\n"));
  CHECK_THAT(failure_of(other.url()).text, Catch::EndsWith("is not HTTP"));

  scripted_server gone(once(""));
  CHECK_THAT(failure_of(gone.url()).text, Catch::EndsWith("closed the connection"));

  scripted_server endless(once(head + "Content-Length: 100\r\n\r\n" + std::string(100, 'x')));
  CHECK_THAT(failure_of(endless.url(), {.longest_line = 64}).text, Catch::EndsWith("beyond 64 bytes"));

  scripted_server large(once(head + "Content-Length: 100\r\n\r\n" + std::string(100, '\n')));
  CHECK_THAT(failure_of(large.url(), {.most_bytes = 64}).text, Catch::EndsWith("larger than 64 bytes"));
}

TEST_CASE("a server that falls silent is given up") {
  scripted_server server([](scripted_peer& peer) {
    peer.read();
    peer.write(head + "Transfer-Encoding: chunked\r\n\r\n");
    peer.await_close();
  });
  auto e = failure_of(server.url(), {.silence = 10ms});
  CHECK(e.code == errc::timeout);
}

TEST_CASE("an address that is no server's is refused before anything is sent") {
  for (auto url : {"https://127.0.0.1:1", "http://u:p@127.0.0.1:1", "127.0.0.1:99999", "http://h/?a"}) {
    INFO(url);
    auto made = stream_client::open({.url = url});
    REQUIRE_FALSE(made);
    CHECK(made.error().code == errc::bad_config);
    CHECK(made.error().param == "url");
  }
}
