// The server under TLS: the same connections, with a handshake before and an end behind.
#include <csignal>

#include "net/credentials.hpp"
#include "net/http_client.hpp"
#include "tests/catch.hpp"
#include "tests/net/fake_services.hpp"
#include "tests/net/gate.hpp"
#include "tests/net/raw_cases.hpp"
#include "tests/net/temporary_folder.hpp"
#include "tests/net/test_certificate.hpp"
#include "tests/net/tls_client.hpp"

using namespace lorica;
using namespace lorica::testing;

namespace {

const std::string body = R"({"inputs":"Hey","parameters":{}})";

/// One folder and certificate for all tests of this file.
const test_certificate& certificate() {
  static const temporary_folder folder;
  static const auto made = make_certificate(folder.path(), "server");
  return made;
}

credentials secrets_of(const test_certificate& c) {
  auto read = read_credentials({.tls_cert = c.cert, .tls_key = c.key});
  REQUIRE(read);
  return *std::move(read);
}

server_options under_tls(server_options o = {}) {
  // What a client writes to a closed connection must not end the test; libraries of TLS write without a flag
  // for it.
  std::signal(SIGPIPE, SIG_IGN);
  o.secrets = secrets_of(certificate());
  return o;
}

void one_token(fake_run& run) {
  run.play({std::get<std::string>(run.request.prompts.at(0))});
}

/// What became of a case, as `200 200 open`.
std::string outcome(std::uint16_t port, const raw_case& c) {
  tls_client client(port);
  client.send(c.bytes);
  if (c.ends_sending) client.half_close();
  std::string method = c.bytes.starts_with("HEAD ") ? "HEAD" : "GET", out;
  for (std::size_t i = 0; i < c.statuses.size(); ++i) {
    auto reply = client.read(method);
    while (reply.status == 100)
      reply = client.read(method);
    out += std::to_string(reply.status) + (reply.complete ? " " : " cut ");
  }
  if (c.then == fate::closed) return out + (client.at_end() ? "closed" : "open or more answers");
  client.send("GET /ping HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  auto next = client.read();
  return out + (next.status == 200 && client.at_end() ? "open" : "closed or more answers");
}

std::string expected(const raw_case& c) {
  std::string out;
  for (auto status : c.statuses)
    out += std::to_string(status) + " ";
  return out + (c.then == fate::closed ? "closed" : "open");
}

}  // namespace

TEST_CASE("requests, streams and a kept connection work under TLS, whose own end comes last") {
  test_server s(one_token, under_tls());
  tls_client client(s.port(), {.trusted = certificate().cert, .alpn = "\x02h2\x08http/1.1"});
  REQUIRE(client.is_open());
  CHECK(client.version() == "TLSv1.3");
  CHECK(client.protocol() == "http/1.1");
  client.post("/generate", body);
  CHECK(client.read().body == R"({"generated_text":"Hey"})");
  client.post("/generate_stream", body);
  CHECK(client.read().chunks.size() == 1);
  client.get("/health", "Connection: close\r\n");
  CHECK(client.read().status == 200);
  CHECK(client.at_end());
  CHECK(client.ended_well());
  client.reset();
  CHECK(s.wait_quiet());
}

TEST_CASE("byte by byte under TLS, each in a record of its own") {
  test_server s(one_token, under_tls());
  tls_client client(s.port());
  auto request = "POST /generate HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::to_string(body.size()) +
                 "\r\n\r\n" + body;
  for (char c : request)
    client.send({&c, 1});
  CHECK(client.read().body == R"({"generated_text":"Hey"})");
}

TEST_CASE("connections under TLS end or go on as plain ones do") {
  test_server s(one_token, under_tls());
  for (auto& cases : {connection_cases(), body_cases()})
    for (auto& c : cases) {
      INFO(c.name);
      CHECK(outcome(s.port(), c) == expected(c));
    }
  CHECK(s.wait_quiet());
}

TEST_CASE("TLS 1.2 is served, 1.1 is not, and a client that speaks only HTTP/2 gets no connection") {
  test_server s(one_token, under_tls());
  tls_client older(s.port(), {.most_version = TLS1_2_VERSION});
  REQUIRE(older.is_open());
  CHECK(older.version() == "TLSv1.2");
  older.get("/health");
  CHECK(older.read().status == 200);
  CHECK_FALSE(
      tls_client(s.port(), {.least_version = TLS1_VERSION, .most_version = TLS1_1_VERSION}).is_open());
  CHECK_FALSE(tls_client(s.port(), {.alpn = "\x02h2"}).is_open());
  CHECK(tls_client(s.port(), {.alpn = "\x08http/1.1"}).is_open());
}

TEST_CASE("a handshake that does not come, stops or is something else ends the connection") {
  server_options o;
  o.handshake_timeout = 50ms;
  test_server s(one_token, under_tls(o));
  raw_client silent(s.port()), stops(s.port()), plain(s.port());
  stops.send(std::string_view("\x16\x03\x01\x02\x00\x01", 6));
  plain.get("/health");
  CHECK(silent.at_end());
  CHECK(stops.at_end());
  while (plain.sip(100)) {  // TLS may tell it in an alert
  }
  CHECK(plain.at_end());
  CHECK(s.wait_quiet());
}

TEST_CASE("a client that leaves under TLS is noticed, however it leaves") {
  test_server s(
      [](fake_run& run) {
        run.start();
        run.wait_cancelled();
      },
      under_tls());
  tls_client reset(s.port());
  auto closed = std::make_unique<tls_client>(s.port());
  auto dropped = std::make_unique<tls_client>(s.port());
  for (auto client : {&reset, closed.get(), dropped.get()}) {
    client->post("/generate_stream", body);
    CHECK(client->read_head().status == 200);
  }
  reset.reset();
  CHECK(s.generations.wait_cancelled(1));
  closed->half_close();
  closed.reset();
  CHECK(s.generations.wait_cancelled(2));
  dropped.reset();
  CHECK(s.generations.wait_cancelled(3));
  CHECK(s.wait_quiet());
}

TEST_CASE("a client that has only finished sending gets the rest of its stream under TLS") {
  gate go;
  test_server s(
      [&](fake_run& run) {
        run.start();
        go.wait();
        run.token("a", true);
        run.sink->finished({0, finish_reason::length, "a", 1, 0});
        run.sink->done({});
      },
      under_tls());
  tls_client client(s.port());
  client.post("/generate_stream", body);
  CHECK(client.read_head().status == 200);
  client.half_close();
  CHECK(client.read_chunk() == ":\n\n");
  go.open();
  CHECK_THAT(client.read_chunk(), Catch::Contains("\"generated_text\":\"a\""));
  CHECK(client.read_chunk().empty());
  CHECK(client.at_end());
  CHECK(client.ended_well());
  CHECK(s.wait_quiet());
}

TEST_CASE("a client that ends sending below TLS still gets its answer") {
  gate go;
  test_server s(
      [&](fake_run& run) {
        go.wait();
        run.play({"a"});
      },
      under_tls());
  tls_client client(s.port());
  client.post("/generate", body);
  REQUIRE(s.generations.wait_started(1));
  client.raw_client::half_close();
  go.open();
  CHECK(client.read().status == 200);
  CHECK(client.at_end());
}

TEST_CASE("the refusal of a body that is too long arrives under TLS while the body is sent") {
  test_server s(one_token, under_tls());
  tls_client client(s.port());
  client.post("/generate", std::string(8'000'000, 'a'));
  auto reply = client.read();
  CHECK(reply.status == 413);
  CHECK(reply.complete);
  CHECK(client.at_end());
}

TEST_CASE("a new certificate is shown to new connections, old ones go on") {
  test_server s(one_token, under_tls());
  tls_client old(s.port());
  CHECK(old.peer_name() == "server");
  temporary_folder folder;
  s.front.replace(secrets_of(make_certificate(folder.path(), "renewed")));
  CHECK(eventually([&] { return tls_client(s.port()).peer_name() == "renewed"; }));
  old.get("/health");
  CHECK(old.read().status == 200);
}

TEST_CASE("our client trusts a certificate that it is told to trust, any if it is told so, and no other") {
  test_server s(one_token, under_tls());
  auto status = [&](http_client_options options) {
    options.url = "https://127.0.0.1:" + std::to_string(s.port());
    auto client = http_client::open(options);
    REQUIRE(client);
    auto reply = client->send({.target = "/health"});
    return reply ? std::to_string(reply->status) : reply.error().text.substr(0, 20);
  };
  CHECK(status({.ca_file = certificate().cert}) == "200");
  CHECK(status({.trust = server_trust::anybody}) == "200");
  CHECK(status({}) == "The certificate of 1");
  temporary_folder folder;
  auto other = make_certificate(folder.path(), "other");
  CHECK(status({.ca_file = other.cert}) == "The certificate of 1");
  auto nothing = http_client::open({.url = "https://localhost", .ca_file = folder.path() + "/nothing.pem"});
  REQUIRE_FALSE(nothing);
  CHECK_THAT(nothing.error().text, Catch::Contains("nothing.pem") && !Catch::Contains(folder.path()));
}

TEST_CASE("certificates and keys that cannot serve are refused by setting and name") {
  temporary_folder folder;
  auto good = make_certificate(folder.path(), "good"), other = make_certificate(folder.path(), "other");
  auto rsa = make_certificate(folder.path(), "rsa", "rsa:2048 -nodes");
  auto locked = make_certificate(folder.path(), "locked", "rsa:2048 -passout pass:secret");
  auto refused = [&](const std::string& cert, const std::string& key) {
    auto read = read_credentials({.tls_cert = cert, .tls_key = key});
    REQUIRE_FALSE(read);
    CHECK(read.error().code == errc::bad_config);
    CHECK_THAT(read.error().text, !Catch::Contains(folder.path()));
    return read.error().text;
  };
  CHECK(refused(good.cert, "") ==
        "--tls-cert and --tls-key go together; give both, or neither for plain HTTP");
  CHECK(refused("", good.key) ==
        "--tls-cert and --tls-key go together; give both, or neither for plain HTTP");
  CHECK(refused(folder.path() + "/no.crt", good.key) ==
        "--tls-cert: the file 'no.crt' is not there, or its directory cannot be entered");
  CHECK(refused(good.cert, folder.path() + "/no.key") ==
        "--tls-key: the file 'no.key' is not there, or its directory cannot be entered");
  CHECK(refused(folder.write("text", "hello"), good.key) ==
        "--tls-cert: the file 'text' holds no certificate in PEM, or one that is too weak");
  CHECK(refused(good.key, good.key) ==
        "--tls-cert: the file 'good.key' holds no certificate in PEM, or one that is too weak");
  CHECK(refused(good.cert, folder.write("text", "hello")) ==
        "--tls-key: the file 'text' holds no private key in PEM");
  CHECK(refused(good.cert, good.cert) == "--tls-key: the file 'good.crt' holds no private key in PEM");
  CHECK(refused(good.cert, other.key) ==
        "--tls-key: the file 'other.key' does not belong to the certificate of --tls-cert");
  CHECK(refused(good.cert, rsa.key) ==
        "--tls-key: the file 'rsa.key' does not belong to the certificate of --tls-cert");
  CHECK(refused(locked.cert, locked.key) ==
        "--tls-key: the file 'locked.key' is encrypted; give a key without a passphrase");
  // After all those failures a good pair is good.
  CHECK(read_credentials({.tls_cert = rsa.cert, .tls_key = rsa.key}));
}
